"""What became of a version's lists in the newest one to two periods. Pure."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

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
