"""A promoted version on trial: compared with the one before it, and taken back when a guardrail trips."""

import asyncio
import logging
from dataclasses import dataclass, replace

from app.errors import ModelVersionError
from model_server import metrics as table
from model_server.registry.champion import Reign, take_back
from model_server.swap.backstage import Backstage
from model_server.swap.guardrails import tripped
from model_server.swap.tally import Counts, Tally

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    """A new version while it is watched."""

    reign: Reign
    before: Counts
    tally: Tally
    began_s: float


class Trials:
    """At most one trial at a time: that of the version that serves.

    Attributes:
        barred: who was taken back here; not served again unless somebody promotes them again.
        barred_serves: who serves is one of them: whoever can be loaded is better.
    """

    def __init__(self, backstage: Backstage) -> None:
        self._backstage = backstage
        self._trial: _Trial | None = None
        self.barred: set[Reign] = set()
        self.barred_serves = False

    def begin(self, reign: Reign, before: Counts, tally: Tally) -> None:
        """Another version serves. One that was promoted is watched, one that is back is not: there is nobody better."""
        back = reign.restored or any(reign.since_ms <= each.since_ms for each in self.barred)
        watched = self._backstage.rails.watch_s > 0 and not back
        self._trial = _Trial(reign, before, tally, self._backstage.now_s()) if watched else None
        self.barred_serves = False

    async def look(self) -> None:
        """Take the version back if it is worse; let it be when its time is over."""
        trial, rails = self._trial, self._backstage.rails
        if trial is None:
            return
        since_swap_s = self._backstage.now_s() - trial.began_s
        why = tripped(trial.before, trial.tally.recent(), rails, since_swap_s)
        if why:
            await self._take_back(trial, why)
        elif since_swap_s > rails.watch_s:
            logger.info("Version %s has passed its guardrails.", trial.reign.version)
            self._trial = None

    async def _take_back(self, trial: _Trial, why: str) -> None:
        """Move the pointer back, or take the version out of the ways back; where nobody can write, go back alone."""
        backstage, loop, reign = self._backstage, asyncio.get_running_loop(), trial.reign
        now_ms, holds = backstage.clock_ms(), None
        try:
            holds = await loop.run_in_executor(
                backstage.loading, take_back, backstage.models_dir, reign, f"guardrail: {why}", now_ms, self._loads
            )
        except (OSError, ModelVersionError) as error:
            logger.error("The champion stays as it is, only this server goes back: %s", error)
        if holds is not None and holds.champion.version == reign.version:
            # Promoted anew while it was on trial: the same lists, so the trial goes on, under the new reign.
            self._trial = replace(trial, reign=holds.champion)
            return
        self._trial = None
        self.barred.add(reign)
        self.barred_serves = True
        backstage.metrics.counter(table.MODELS_TAKEN_BACK).inc()
        logger.error("Version %s is taken back: %s", reign.version, why)
        if holds is not None:
            await backstage.announce(holds.champion)

    def _loads(self, name: str) -> bool:
        try:
            self._backstage.load(self._backstage.models_dir / name)
        except Exception as error:  # out of memory, for example: the pointer must be moved anyway
            logger.error("Version %s is no way back: %r", name, error)
            return False
        return True
