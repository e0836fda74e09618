"""What becomes of a version's lists, counted where they are made: for the guardrails. Knows no Kafka and no torch."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

from app.contracts.recommendations import NEWCOMER_ID
from app.surfaces.touches import History
from model_server.scoring.scorer import Scored

Score = Callable[[Sequence[str], Sequence[History]], Scored]
_FIELDS: Final = ("lists", "fallbacks", "empty", "events", "hits")


@dataclass(slots=True)
class Counts:
    """Of one version in some time.

    Attributes:
        lists: users scored, newcomers left out.
        fallbacks: those of whom the model knew nothing.
        empty: those whose first list was empty.
        events: events soon after a list.
        hits: those whose item was among the list's first ten.
    """

    lists: int = 0
    fallbacks: int = 0
    empty: int = 0
    events: int = 0
    hits: int = 0


class Tally:
    """Counts of the newest one to two periods. Written by the scoring thread; others may read.

    Args:
        period_s: seconds.
        now_s: a monotonic clock.
    """

    def __init__(self, period_s: float, now_s: Callable[[], float]) -> None:
        self._period_s = period_s
        self._now_s = now_s
        self._next_s = now_s() + period_s
        self._periods = deque([Counts()], maxlen=2)

    def recent(self) -> Counts:
        """The sum of this period and the one before."""
        periods = tuple(self._periods)
        return Counts(*(sum(map(attrgetter(field), periods)) for field in _FIELDS))

    def now(self) -> Counts:
        """Where to count what happens now."""
        if self._now_s() >= self._next_s:
            self._periods.append(Counts())
            self._next_s = self._now_s() + self._period_s
        return self._periods[-1]

    def watch(self, score: Score, surface: str) -> Score:
        """The same scoring, its lists counted; those of this surface are the ones that must not be empty."""

        def watched(user_ids: Sequence[str], histories: Sequence[History]) -> Scored:
            scored = score(user_ids, histories)
            nobody = sum(user_id == NEWCOMER_ID for user_id in user_ids)  # no fallback: there is nothing to know
            counts = self.now()
            counts.lists += len(user_ids) - nobody
            counts.fallbacks += scored.fallback_users - nobody
            counts.empty += sum(not lists.get(surface) for lists in scored.lists)
            return scored

        return watched
