"""The loop: collect, train, judge, promote, again. What it works with is given to it, so a replay runs the same loop.

Each step ends with one rename of `progress.json`, and doing a step again does nothing twice: a training goes on from
its checkpoint or finds the version that it had saved, a judgement asks about the same events, and a promotion that was
done stays done. So a learner killed anywhere goes on with the step it was in, and there is one champion at any time.
"""

import logging
from dataclasses import dataclass
from typing import Final

from msgspec import structs

from app.errors import RiverrunError
from model_server.learning import metrics as table
from model_server.learning.closing import JUDGING, TRAINING, clear_up, conclude, remove_data, take_over
from model_server.learning.gate import Outcome, Rules, decide
from model_server.learning.progress import Progress, Stage, read_progress, write_progress
from model_server.learning.snapshot import Extent
from model_server.learning.workshop import Contest, Workshop
from model_server.registry.champion import champion_of
from model_server.registry.private import is_private
from model_server.registry.summary import summary_of

_PATIENCE: Final = 3

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """When a challenger is trained, and how it is judged.

    Args:
        after_events: so many new ones are enough; 0: only time counts.
        every_ms: after so long those are enough that the gate's first look wants; 0: only events count.
        rules: of the gate.
        keep_versions: of those made here; the champion and the ways back from it stay as well.
    """

    after_events: int
    every_ms: int
    rules: Rules
    keep_versions: int


class Learner:
    """See the module.

    Args:
        workshop: what it works with.
        pace: when it does what.
    """

    def __init__(self, workshop: Workshop, pace: Pace) -> None:
        self._shop = workshop
        self._pace = pace
        self._told_of = ""  # the private champion of which it was said that it is not challenged
        self._steps = {
            Stage.COLLECTING: self._collect,
            Stage.TRAINING: self._train,
            Stage.JUDGING: self._judge,
            Stage.PROMOTING: self._promote,
        }

    async def run(self) -> None:
        """Learn for ever. A step that fails is tried again; after three times its round is given up."""
        progress, failures = self._begun(), 0
        while True:
            self._show(progress.stage)
            try:
                then = await self._steps[progress.stage](progress)
                failures = 0
            except (RiverrunError, OSError) as error:
                failures += 1
                logger.error("While %s: %s", progress.stage, error)
                self._shop.metrics.counter(table.FAILED, progress.stage).inc()
                await self._shop.pause()
                if failures < _PATIENCE:
                    continue
                then = structs.replace(progress, stage=Stage.COLLECTING, cut=self._shop.taken(), challenger="")
            progress = self._kept(then)

    def _begun(self) -> Progress:
        """Where the learner was; the beginning, where the store was removed since then and its rows count anew."""
        progress, taken = read_progress(self._shop.folder), self._shop.taken()
        if progress.cut <= taken:
            return progress
        logger.warning("The store has %d rows, and %d had been trained on: it was begun anew.", taken, progress.cut)
        return Progress(made=progress.made)

    async def _collect(self, progress: Progress) -> Progress:
        """Wait until there is enough to learn from."""
        progress = clear_up(self._shop, progress, self._pace.keep_versions)
        while not self._enough(progress) or self._unchallenged():
            await self._shop.more()
        cut = self._shop.taken()
        logger.info("%d events since the last training: training a challenger.", cut - progress.cut)
        return structs.replace(progress, stage=Stage.TRAINING, cut=cut, challenger="", look=0)

    async def _train(self, progress: Progress) -> Progress:
        """On everything that is kept, the newest events as validation. The first version ever is champion at once."""
        shop, began_ms = self._shop, self._shop.clock_ms()
        data = shop.folder / f"{TRAINING}-{progress.cut}"
        if not data.exists():
            await shop.snapshot(data, Extent.below(progress.cut))
        shop.passing("snapshot written")
        logger.info("Training on %s, or going on with it.", data)
        challenger = await shop.train(data)
        shop.passing("challenger trained")
        now_ms, made = shop.clock_ms(), (*progress.made, challenger)
        shop.metrics.gauge(table.TRAINED_AT).set(now_ms / 1_000)
        shop.metrics.gauge(table.TRAINING_SECONDS).set((now_ms - began_ms) / 1_000)
        champion = champion_of(shop.models_dir) or challenger
        stage = Stage.COLLECTING if champion == challenger or self._unchallenged() else Stage.JUDGING
        logger.info("Challenger %s is trained; %s is champion.", challenger, champion)
        return structs.replace(progress, stage=stage, challenger=challenger, champion=champion, made=made)

    async def _judge(self, progress: Progress) -> Progress:
        """Both predict the same events, which came after the challenger's cut; the gate decides, or looks again."""
        shop, rules = self._shop, self._pace.rules
        remove_data(shop.folder)
        until = progress.cut + rules.events_at(progress.look)
        while shop.taken() < until:
            await shop.more()
        if champion_of(shop.models_dir) != progress.champion:
            return conclude(shop, progress, promoted=False, why="another version became champion meanwhile")
        data = shop.folder / JUDGING
        try:
            live = await shop.snapshot(data, Extent(until, live_from=progress.cut))
            folders = [str(shop.models_dir / name) for name in (progress.champion, progress.challenger)]
            figures = await shop.judge(
                Contest(data=str(data), live=live, champion=folders[0], challenger=folders[1], level=rules.level)
            )
        finally:
            remove_data(shop.folder)
        for bound in ("mean", "low", "high"):
            shop.metrics.gauge(table.DIFFERENCE, bound).set(getattr(figures.ndcg10, bound))
        decision = decide(figures, progress.look, rules)
        logger.info("Look %d of %d at %s: %s.", progress.look + 1, rules.looks, progress.challenger, decision.why)
        if decision.outcome is Outcome.LOOK_AGAIN:
            return structs.replace(progress, look=progress.look + 1)
        better = decision.outcome is Outcome.PROMOTE
        return conclude(shop, progress, promoted=better, why=decision.why, figures=figures)

    async def _promote(self, progress: Progress) -> Progress:
        """Name it champion and tell the servers; nothing where somebody else named another one meanwhile."""
        await take_over(self._shop, progress)
        return structs.replace(progress, stage=Stage.COLLECTING)

    def _enough(self, progress: Progress) -> bool:
        pace, new = self._pace, self._shop.taken() - progress.cut
        waited_ms = self._shop.clock_ms() - progress.since_ms
        return 0 < pace.after_events <= new or (0 < pace.every_ms <= waited_ms and new >= pace.rules.first_look)

    def _unchallenged(self) -> bool:
        """Whether the champion is private: what takes its place would not be, and nobody would have asked for that."""
        champion = champion_of(self._shop.models_dir)
        if champion is None or not is_private(summary_of(self._shop.models_dir / champion).metrics):
            return False
        if champion != self._told_of:
            logger.warning(
                "Champion %s is private: it is not challenged. Promote another one to learn again.", champion
            )
            self._told_of = champion
        return True

    def _kept(self, progress: Progress) -> Progress:
        """Written down."""
        if progress.stage is Stage.COLLECTING:
            progress = structs.replace(progress, since_ms=self._shop.clock_ms())
        write_progress(self._shop.folder, progress)
        self._shop.passing(f"{progress.stage} written")
        return progress

    def _show(self, now: Stage) -> None:
        for stage in Stage:
            self._shop.metrics.gauge(table.STAGE, stage).set(stage is now)
