"""A data set as the stream: what learning is worth, by the loop that also runs live.

The older part is the store's past and makes the first version. Then the events come in time order, and the loop trains,
judges and promotes as it would. In the end every event after the past was predicted twice: by the first version, which
stays as it was trained, and by whoever was champion at that moment; both with live states and live counts. The stream
stands still while a challenger trains, so that a replay takes no days: live, a champion is as much older.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import torch

from app.contracts.catalog import CatalogItem
from app.data.interactions import Dataset
from app.errors import DataError, ProcessFailed
from app.observability import Metrics
from model_server.learning import metrics as table
from model_server.learning.children import Manner, judge, train
from model_server.learning.gate import Figures
from model_server.learning.judge import Encoding, compare, joined, shown_by, trial_of
from model_server.learning.learner import Learner, Pace
from model_server.learning.past import begin_with, tables_of
from model_server.learning.planted import poison
from model_server.learning.snapshot import Extent, write_snapshot
from model_server.learning.store import Bounds, EventStore
from model_server.learning.workshop import Contest, Workshop
from model_server.registry.champion import Reign
from model_server.registry.load import load_version
from model_server.registry.version import TrainedModel

_STEP: Final = 500  # events that come at once
_LEVEL: Final = 0.95
_BOUNDS: Final = Bounds(events=1 << 40, age_days=1 << 20, erase_within_s=0)


@dataclass(frozen=True, slots=True)
class Period:
    """A champion, and the first event that it was asked to predict."""

    version: str
    first: int


@dataclass(frozen=True, slots=True)
class Look:
    """What the gate saw: how many events there had been by then."""

    challenger: str
    at: int
    figures: Figures


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a replay came to; in `total` the champion is the frozen version and the challenger is learning."""

    periods: list[Period]
    looks: list[Look]
    total: Figures


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """How a data set is replayed.

    Args:
        dataset: in time order.
        past: events that come before the stream.
        pace: of the learner.
        folder: for store, snapshots and versions.
        manner: of children; its versions lie in the folder.
        poison_seed: challengers learn from shuffled items; None: from the truth.
        clock_ms: wall clock, ms since 1970.
        periods, looks: filled while it runs.
    """

    dataset: Dataset
    past: int
    pace: Pace
    folder: Path
    manner: Manner
    poison_seed: int | None
    clock_ms: Callable[[], int]
    periods: list[Period] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)

    async def run(self, encoding: Encoding) -> Outcome:
        """Learn along the stream, then compare.

        Raises:
            DataError: the first version would not be trained on the past, all of it and nothing else.
            ProcessFailed: nothing could be trained.
        """
        log = self.dataset.interactions
        if not 0 < self.pace.after_events <= self.past < len(log):
            raise DataError(
                f"A challenger after {self.pace.after_events:,} events does not go with {self.past:,} events of past.",
                hint="Say --after-events with a number between 1 and that.",
            )
        store = EventStore(self.folder / "store", _BOUNDS)
        past = replace(self.dataset, interactions=log.take(slice(0, self.past)))
        begin_with(store, self.folder, past, self.clock_ms())
        with suppress(_StreamOver):
            await Learner(self._workshop(store, self.dataset.catalog), self.pace).run()
        if not self.periods:
            raise ProcessFailed("Nothing could be trained; the log above says why.")
        total = compared(self.dataset, self.past, self.periods, self._model, encoding)
        return Outcome(self.periods, self.looks, total)

    def _workshop(self, store: EventStore, items: tuple[CatalogItem, ...]) -> Workshop:
        log = self.dataset.interactions

        async def more() -> None:
            taken = store.manifest.taken
            if taken >= len(log):
                raise _StreamOver
            store.append(tables_of(log.take(slice(taken, taken + _STEP)), taken), self.clock_ms())

        async def snapshot(folder: Path, extent: Extent) -> int:
            return write_snapshot(store, folder, items, extent)

        async def train_on(data: Path) -> str:
            if store.manifest.taken >= len(log):
                raise _StreamOver  # nothing is left to judge it by
            if self.poison_seed is not None and self.periods:
                poison(data, self.poison_seed)
            name = await train(data, self.manner)
            if not self.periods:
                self.periods.append(Period(name, self.past))
            return name

        async def judge_and_note(contest: Contest) -> Figures:
            figures = await judge(contest, self.manner)
            self.looks.append(Look(Path(contest.challenger).name, store.manifest.taken, figures))
            return figures

        async def announce(reign: Reign) -> None:
            self.periods.append(Period(reign.version, store.manifest.taken))

        return Workshop(
            folder=self.folder,
            models_dir=self.manner.models_dir,
            taken=lambda: store.manifest.taken,
            more=more,
            pause=_at_once,
            snapshot=snapshot,
            train=train_on,
            judge=judge_and_note,
            announce=announce,
            metrics=Metrics(table.TABLE),
            clock_ms=self.clock_ms,
        )

    def _model(self, period: Period) -> TrainedModel:
        return load_version(self.manner.models_dir / period.version, torch.device("cpu")).model


def compared(
    dataset: Dataset,
    past: int,
    periods: Sequence[Period],
    model_of: Callable[[Period], TrainedModel],
    encoding: Encoding,
) -> Figures:
    """The first champion on every event after the past, against each champion on those of its period."""
    log = dataset.interactions
    whole = trial_of(dataset, len(log) - past, encoding)
    frozen = shown_by(whole, model_of(periods[0]))
    ends = [period.first for period in periods[1:]] + [len(log)]
    parts = [frozen.take(slice(0, ends[0] - past))]
    for period, end in zip(periods[1:], ends[1:], strict=True):
        if period.first < end:  # what takes over with the last event predicts nothing
            part = replace(dataset, interactions=log.take(slice(0, end)))
            parts.append(shown_by(trial_of(part, end - period.first, encoding), model_of(period)))
    return compare(whole.facts, frozen, joined(parts), _LEVEL)


async def _at_once() -> None:
    """In a replay no time passes."""


class _StreamOver(Exception):
    """All events have come."""
