"""What sells now, and what people buy who never had it: counts that fade, as of one moment. Cheap: redone every day.

First purchases tell what is new, in season or promoted; repeat purchases drown that in milk and bananas.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.data.interactions import Interactions
from app.data.local_time import MS_PER_DAY

_SLOW_DAYS: Final = 28.0
_USUAL_DAYS: Final = 14.0
_FAST_DAYS: Final = 7.0
_WEEK_DAYS: Final = 5.0
_NOW_DAYS: Final = 3.0
_FORGOTTEN: Final = 7  # half-lives


@dataclass(frozen=True, slots=True, eq=False)
class PlaceCounts:
    """Counts by place and item, only those above 0.

    Args:
        keys: (K,) place * N + item, rising.
        values: (K,).
    """

    keys: NDArray[np.int64]
    values: NDArray[np.float32]

    def at(self, keys: NDArray[np.int64]) -> NDArray[np.float32]:
        """The counts of these keys, 0 for those that are not there."""
        if not len(self.keys):
            return np.zeros(keys.shape, np.float32)
        found = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[found] == keys, self.values[found], np.float32(0))

    def sum_of(self, place: int, items: int) -> float:
        """All that was counted at a place of a shop with so many items."""
        start, end = np.searchsorted(self.keys, (place * items, (place + 1) * items))
        return float(self.values[start:end].sum())


@dataclass(frozen=True, slots=True, eq=False)
class ItemCounts:
    """Of N items, (N,) float32 each; half-lives in days.

    Args:
        popular: interactions, 14.
        popular_now: interactions, 3.
        first, first_fast, first_now: interactions of people who never had it before, 28, 7 and 3.
        here: interactions by place, 28.
        here_now: the same, 5.
        first_here: first ones by place, 7.
    """

    popular: NDArray[np.float32]
    popular_now: NDArray[np.float32]
    first: NDArray[np.float32]
    first_fast: NDArray[np.float32]
    first_now: NDArray[np.float32]
    here: PlaceCounts
    here_now: PlaceCounts
    first_here: PlaceCounts


def first_times(log: Interactions) -> NDArray[np.bool_]:
    """(E,) whether it is the user's first interaction with the item."""
    pairs = log.users.astype(np.int64) * len(log.item_ids) + log.items
    first = np.zeros(len(log), np.bool_)
    first[np.unique(pairs, return_index=True)[1]] = True
    return first


def count_items(log: Interactions, first: NDArray[np.bool_], now_ms: int) -> ItemCounts:
    """The counts of everything before `now_ms`; `first` as `first_times(log)`."""
    until = int(np.searchsorted(log.ts_ms, now_ms))
    seen = _Seen(log, first, until, now_ms)
    return ItemCounts(
        popular=seen.counted(_USUAL_DAYS),
        popular_now=seen.counted(_NOW_DAYS),
        first=seen.counted(_SLOW_DAYS, first_only=True),
        first_fast=seen.counted(_FAST_DAYS, first_only=True),
        first_now=seen.counted(_NOW_DAYS, first_only=True),
        here=seen.by_place(_SLOW_DAYS),
        here_now=seen.by_place(_WEEK_DAYS),
        first_here=seen.by_place(_FAST_DAYS, first_only=True),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """A log up to a moment."""

    log: Interactions
    first: NDArray[np.bool_]
    until: int
    now_ms: int

    def counted(self, half_life_days: float, *, first_only: bool = False) -> NDArray[np.float32]:
        chosen = self._chosen(half_life_days, first_only=first_only)
        weights = self._weights(chosen, half_life_days)
        items = self.log.items[chosen]
        return np.bincount(items, weights=weights, minlength=len(self.log.item_ids)).astype(np.float32)

    def by_place(self, half_life_days: float, *, first_only: bool = False) -> PlaceCounts:
        if self.log.places is None:
            return PlaceCounts(np.zeros(0, np.int64), np.zeros(0, np.float32))
        chosen = self._chosen(half_life_days, first_only=first_only)
        chosen = chosen[self.log.places[chosen] >= 0]
        keys = self.log.places[chosen].astype(np.int64) * len(self.log.item_ids) + self.log.items[chosen]
        there, which = np.unique(keys, return_inverse=True)
        values = np.bincount(which, weights=self._weights(chosen, half_life_days), minlength=len(there))
        return PlaceCounts(there, values.astype(np.float32))

    def _chosen(self, half_life_days: float, *, first_only: bool) -> NDArray[np.intp]:
        oldest_ms = self.now_ms - int(_FORGOTTEN * half_life_days * MS_PER_DAY)
        chosen = np.arange(int(np.searchsorted(self.log.ts_ms, oldest_ms)), self.until)
        return chosen[self.first[chosen]] if first_only else chosen

    def _weights(self, chosen: NDArray[np.intp], half_life_days: float) -> NDArray[np.float64]:
        days = (self.now_ms - self.log.ts_ms[chosen]) / MS_PER_DAY
        weights: NDArray[np.float64] = 0.5 ** (days / half_life_days)
        return weights
