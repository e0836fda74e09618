"""The learner's loop on a log, with a real store and a real registry; what a training and a judging find is told."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import msgspec
from msgspec import structs

from app.contracts.events import Event
from app.errors import ProcessFailed
from app.interests.intake import ReceivedEvent
from app.observability import Metrics
from model_server.judging.bootstrap import Interval
from model_server.learning import metrics as table
from model_server.learning.gate import Figures, Rules, Side
from model_server.learning.learner import Learner, Pace
from model_server.learning.snapshot import Extent, write_snapshot
from model_server.learning.store import EventStore, Passing, nothing_happens
from model_server.learning.workshop import Contest, Workshop
from model_server.registry.champion import Reign, settle
from model_server.registry.folders import finished_versions
from model_server.registry.save import save_version
from model_server.registry.version import TrainedModel
from tests.support.learning import NOW_MS, PLENTY

PACE: Final = Pace(
    after_events=100,
    every_ms=0,
    rules=Rules(first_look=20, looks=2, coverage_kept=0.8),
    keep_versions=2,
)
_SIDE: Final = Side(hr10=0.2, ndcg10=0.1, coverage10=0.5, empty_share=0.0)


class LogEnds(Exception):
    """Everything was read."""


def figures(low: float, high: float) -> Figures:
    """Of a challenger whose interval this is."""
    gap = Interval((low + high) / 2, low, high)
    better = structs.replace(_SIDE, ndcg10=_SIDE.ndcg10 + gap.mean)
    return Figures(events=20, users=50, level=0.975, champion=_SIDE, challenger=better, ndcg10=gap, hr10=gap)


BETTER: Final = figures(0.01, 0.02)
WORSE: Final = figures(-0.02, -0.01)
ALIKE: Final = figures(-0.01, 0.01)


@dataclass
class LearnerOnLog:
    """See the module.

    Args:
        folder: for everything.
        log: what lies in the only partition of `events`.
        model: makes the version number n.
        found: what the judgings find, one after the other; then everything is better.
        passing: see `Passing`.
        failing: trainings that fail before one succeeds.
        at_once: events that come together.
        announced, asked: filled while it runs.
        on_judge: called before a judging.
        metrics: of the learner.
    """

    folder: Path
    log: Sequence[Event]
    model: Callable[[int], TrainedModel]
    found: list[Figures] = field(default_factory=list)
    passing: Passing = nothing_happens
    failing: int = 0
    at_once: int = 10
    announced: list[str] = field(default_factory=list)
    asked: list[Contest] = field(default_factory=list)
    on_judge: Callable[[], None] = lambda: None
    metrics: Metrics = field(default_factory=lambda: Metrics(table.TABLE))

    @property
    def models_dir(self) -> Path:
        """Where the versions are."""
        return self.folder / "models"

    async def run(self) -> EventStore:
        """Until the log ends; the store as it then is."""
        store = EventStore(self.folder / "store", PLENTY, self.passing)
        with suppress(LogEnds):
            await Learner(self._workshop(store), PACE).run()
        return store

    def _workshop(self, store: EventStore) -> Workshop:
        async def snapshot(folder: Path, extent: Extent) -> int:
            return write_snapshot(store, folder, (), extent)

        return Workshop(
            folder=self.folder,
            models_dir=self.models_dir,
            taken=lambda: store.manifest.taken,
            more=self._reading(store),
            pause=_at_once,
            snapshot=snapshot,
            train=self._train,
            judge=self._judge,
            announce=self._announce,
            metrics=self.metrics,
            clock_ms=lambda: NOW_MS,
            passing=self.passing,
        )

    def _reading(self, store: EventStore) -> Callable[[], Awaitable[None]]:
        async def more() -> None:
            offset = store.manifest.offsets.get(0, 0)
            events = self.log[offset : offset + self.at_once]
            if not events:
                raise LogEnds
            received = [ReceivedEvent(event, offset + place, NOW_MS) for place, event in enumerate(events)]
            store.take(0, received, offset + len(events), NOW_MS)
            store.publish(NOW_MS)

        return more

    async def _train(self, data: Path) -> str:
        """As `riverrun train --reuse`: the version that was trained on this very data before is taken again."""
        self.failing -= 1
        if self.failing >= 0:
            raise ProcessFailed("The training ended.")
        cut = int(data.name.rpartition("-")[2])
        for folder in finished_versions(self.models_dir):
            if msgspec.json.decode((folder / "data.json").read_bytes())["held_out_events"] == cut:
                return folder.name
        model = self.model(cut)
        marked = replace(model, data=structs.replace(model.data, held_out_events=cut))
        version = save_version(self.models_dir, marked, NOW_MS + cut * 1_000)
        settle(self.models_dir, NOW_MS)
        return version.name

    async def _judge(self, contest: Contest) -> Figures:
        self.asked.append(contest)
        self.on_judge()
        return self.found.pop(0) if self.found else BETTER

    async def _announce(self, reign: Reign) -> None:
        self.announced.append(reign.version)


async def _at_once() -> None:
    """No time passes."""
