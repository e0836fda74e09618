"""How items are bought: again or once, how often, at what hours. Rare items lean on their type."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.data.interactions import Interactions
from app.data.local_time import MS_PER_DAY, MS_PER_HOUR, local_ms, weekdays
from model_server.ranking.facts import ItemFacts
from model_server.ranking.lines import VISIT_GAP_MS

DAYPARTS: Final = 8
_PART_STARTS_H: Final = (11, 15, 18)
_SATURDAY: Final = 5
_USUAL_RHYTHM_DAYS: Final = 25.0
_PRIOR: Final = 10.0  # an item with so many observations counts as much as its type
_DAYPART_PRIOR: Final = 50.0
RATE_DAYS: Final = 30.0
_RATE_PRIOR: Final = (1.0, 5.0)  # of a type nobody bought: once in five months
_REPEAT_PRIOR: Final = (2.0, 10.0)  # of a type nobody bought: two of ten come back


@dataclass(frozen=True, slots=True, eq=False)
class ItemHabits:
    """Of N items, float32.

    Args:
        buyers: (N,) people.
        repeat: (N,) share of its buyers who took it on more than one visit.
        rhythm_days: (N,) geometric mean of the days between two purchases by one person.
        rate: (N,) visits with it in 30 days by somebody who had it before.
        dayparts: (N, 8) log of how much more it sells in a part of the week than everything does.
    """

    buyers: NDArray[np.float32]
    repeat: NDArray[np.float32]
    rhythm_days: NDArray[np.float32]
    rate: NDArray[np.float32]
    dayparts: NDArray[np.float32]


def dayparts(ts_ms: NDArray[np.int64], zone: str) -> NDArray[np.int64]:
    """(E,) 0-3: until 11, 15, 18 and 24 o'clock of a working day in this time zone; 4-7: of a weekend's."""
    local = local_ms(ts_ms, zone)
    days, hours = local // MS_PER_DAY, local % MS_PER_DAY // MS_PER_HOUR
    return np.digitize(hours, _PART_STARTS_H) + (len(_PART_STARTS_H) + 1) * (weekdays(days) >= _SATURDAY)


def item_habits(log: Interactions, facts: ItemFacts, zone: str) -> ItemHabits:
    """Counted over the whole log."""
    order = np.lexsort((log.ts_ms, log.items, log.users))
    users, items, ts_ms = log.users[order], log.items[order], log.ts_ms[order]
    begins = np.ones(len(order), np.bool_)
    begins[1:] = (np.diff(users) != 0) | (np.diff(items) != 0)
    gap_ms = np.diff(ts_ms, prepend=ts_ms[:1])
    again = ~begins & (gap_ms > VISIT_GAP_MS)
    starts = np.flatnonzero(begins)
    came_back = np.add.reduceat(again, starts) > 0 if len(starts) else np.zeros(0, np.bool_)
    by_item = _ByItem(facts)
    buyers = by_item.summed(items[starts])
    had_for = (log.ts_ms.max(initial=0) - ts_ms[starts]) / MS_PER_DAY / RATE_DAYS
    log_gap = np.log(gap_ms[again] / MS_PER_DAY)
    return ItemHabits(
        buyers=buyers.astype(np.float32),
        repeat=by_item.smoothed(by_item.summed(items[starts][came_back]), buyers, _REPEAT_PRIOR),
        rhythm_days=np.exp(
            by_item.smoothed(
                by_item.summed(items[again], log_gap),
                by_item.summed(items[again]),
                (_PRIOR / 2 * np.log(_USUAL_RHYTHM_DAYS), _PRIOR / 2),
            )
        ),
        rate=by_item.smoothed(by_item.summed(items[again]), by_item.summed(items[starts], had_for), _RATE_PRIOR),
        dayparts=_daypart_lift(log, by_item, zone),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _ByItem:
    """Sums by item, and means of them that lean on the type's."""

    facts: ItemFacts

    def summed(self, items: NDArray[np.int32], weights: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        return np.bincount(items, weights=weights, minlength=len(self.facts)).astype(np.float64)

    def of_type(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) the sum over the item's type."""
        sums: NDArray[np.float64] = np.bincount(self.facts.types, weights=values).astype(np.float64)[self.facts.types]
        return sums

    def smoothed(
        self, sums: NDArray[np.float64], counts: NDArray[np.float64], prior: tuple[float, float]
    ) -> NDArray[np.float32]:
        """Sums / counts, pulled to the type's, which is pulled to the prior's (sum, count)."""
        of_type = (self.of_type(sums) + prior[0]) / (self.of_type(counts) + prior[1])
        return ((sums + _PRIOR * of_type) / (counts + _PRIOR)).astype(np.float32)


def _daypart_lift(log: Interactions, by_item: _ByItem, zone: str) -> NDArray[np.float32]:
    parts = dayparts(log.ts_ms, zone)
    usual = (np.bincount(parts, minlength=DAYPARTS) + 1.0) / (len(log) + DAYPARTS)
    counts = np.stack([by_item.summed(log.items[parts == part]) for part in range(DAYPARTS)], axis=1)
    of_type = np.stack([by_item.of_type(counts[:, part]) for part in range(DAYPARTS)], axis=1)
    prior = (of_type + _DAYPART_PRIOR * usual) / (of_type.sum(axis=1, keepdims=True) + _DAYPART_PRIOR)
    share = (counts + _DAYPART_PRIOR * prior) / (counts.sum(axis=1, keepdims=True) + _DAYPART_PRIOR)
    lift: NDArray[np.float32] = np.log(share / usual).astype(np.float32)
    return lift
