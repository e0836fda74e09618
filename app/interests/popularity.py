"""What is popular: counts per item that halve every half-life of *event* time. Pure, bounded.

Forward decay (Cormode et al., ICDE 2009): an event at `ts` counts 2 ** ((ts - landmark) / half life) once and for all,
so that nothing is recomputed as time passes; the ratio of two such counts is the ratio of the decayed ones at every
moment. The wall clock plays no part: a replay of last year's events gives last year's favourites.
"""

import heapq
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from msgspec import Struct

# 2 ** 200 is far from a double's 2 ** 1023, and 2 ** -200 of an old count is nothing.
_MAX_EXPONENT: Final = 200.0


class PopularItem(Struct, frozen=True, gc=False):
    """An item and its decayed count at the newest event counted."""

    item_id: str
    count: float


class DecayedCounts:
    """Counts per item; mutable, not thread-safe.

    Args:
        half_life_ms: event time after which a count is worth half.
        max_items: how many items are remembered; the least popular ones fade first.
    """

    def __init__(self, half_life_ms: float, max_items: int = 200_000) -> None:
        self._half_life_ms = half_life_ms
        self._max_items = max_items
        self._landmark_ms = 0
        self._weights: dict[str, float] = {}
        self.newest_ts_ms = 0

    def __len__(self) -> int:
        return len(self._weights)

    def start_from(self, counts: Mapping[str, float], reference_ts_ms: int) -> None:
        """Forget everything and go on from counts that were decayed to `reference_ts_ms`."""
        self._landmark_ms = self.newest_ts_ms = reference_ts_ms
        self._weights = dict(counts)
        self._fade_least()

    def add(self, item_id: str, ts_ms: int, count: float = 1.0) -> None:
        """Count one event; the order of events does not matter."""
        if not self._weights:
            self._landmark_ms = ts_ms
        exponent = (ts_ms - self._landmark_ms) / self._half_life_ms
        if exponent > _MAX_EXPONENT:
            self._move_landmark(ts_ms)
            exponent = 0.0
        self._weights[item_id] = self._weights.get(item_id, 0.0) + count * 2.0 ** max(exponent, -_MAX_EXPONENT)
        self.newest_ts_ms = max(self.newest_ts_ms, ts_ms)
        if len(self._weights) > 1.25 * self._max_items:
            self._fade_least()

    def add_all(self, events: Iterable[tuple[str, int]]) -> None:
        """Count events given as (item id, ts in ms)."""
        for item_id, ts_ms in events:
            self.add(item_id, ts_ms)

    def top(self, size: int, among: Callable[[str], bool] = lambda _: True) -> list[PopularItem]:
        """The `size` most popular items `among` all, the first one first; equal counts in the order of their ids."""
        best = heapq.nsmallest(size, (entry for entry in self._weights.items() if among(entry[0])), key=_rank)
        now = 2.0 ** -min((self.newest_ts_ms - self._landmark_ms) / self._half_life_ms, _MAX_EXPONENT)
        return [PopularItem(item_id, weight * now) for item_id, weight in best]

    def _move_landmark(self, landmark_ms: int) -> None:
        exponent = (self._landmark_ms - landmark_ms) / self._half_life_ms
        # Beyond the range of a double the old counts are nothing; 2.0 ** -2000 is 0.0, not an error.
        factor = 2.0**exponent
        self._weights = {item_id: kept for item_id, weight in self._weights.items() if (kept := weight * factor) > 0.0}
        self._landmark_ms = landmark_ms

    def _fade_least(self) -> None:
        if len(self._weights) > self._max_items:
            self._weights = dict(heapq.nsmallest(self._max_items, self._weights.items(), key=_rank))


def _rank(entry: tuple[str, float]) -> tuple[float, str]:
    return -entry[1], entry[0]
