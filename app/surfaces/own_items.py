"""What a batch of users had to do with each of their own items: how often, how lately, in what rhythm and where.

The newest interactions and the records of what came before, merged: what a ranker of items that people come back to
lives on. Knows no item but by its number; category, brand and price are joined by whoever knows the catalog.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.interests.older import DAILY_DECAY, MS_PER_DAY, OCCASION_GAP_MS
from app.surfaces.touches import Touches

VISIT_COUNTS: Final = (1, 2, 3, 5)
_TIME_BITS: Final = 46  # hold any `TimestampMs`, and half an hour more
_LOG2_DECAY: Final = float(np.log2(DAILY_DECAY))

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class OwnItems:
    """P items of B users, by ascending user and item. An item that a user did not touch is not among the user's.

    Args:
        users: (P,) 0 to B - 1.
        items: (P,) numbers.
        counts: (P,) interactions.
        occasions: (P,) see `OlderItem`.
        decayed: (P,) float64, sum over occasions of `DAILY_DECAY` ** (days from the occasion's beginning to now).
        first_ts_ms, last_ts_ms: (P,) of the interactions.
        kinds, places: (P,) bit sets as in `OlderItem`.
        in_visits: (P, 4) in how many of the user's last 1, 2, 3 and 5 visits (`VISIT_COUNTS`).
    """

    users: Numbers
    items: Numbers
    counts: Numbers
    occasions: Numbers
    decayed: NDArray[np.float64]
    first_ts_ms: Numbers
    last_ts_ms: Numbers
    kinds: Numbers
    places: Numbers
    in_visits: Numbers

    def rhythm_ms(self) -> NDArray[np.float64]:
        """(P,) the mean time between two occasions; NaN where there was only one."""
        gaps = np.where(self.occasions > 1, self.occasions - 1, np.nan)
        rhythm: NDArray[np.float64] = (self.last_ts_ms - self.first_ts_ms) / gaps
        return rhythm

    def at_place(self, places: Numbers) -> NDArray[np.bool_]:
        """(P,) whether there was anything with the item at the place, given as (B,) each user's own number of it."""
        number = places[self.users]
        there: NDArray[np.bool_] = (number > 0) & (self.places >> number & 1 == 1)
        return there


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """R rows by ascending user and item, of one item the record first, then the newest interactions in their order.

    `starts` are the rows at which another user's item begins; `occasions` and `weights` are 0 within an occasion.
    """

    users: Numbers
    items: Numbers
    starts: Numbers
    begins: NDArray[np.bool_]
    order: Numbers
    ts_ms: Numbers
    occasions: Numbers
    weights: NDArray[np.float64]


def own_items(touches: Touches, now_ms: Numbers) -> OwnItems:
    """Merge newest interactions and older records, user by user and item by item.

    Of events that came in order, each item's figures are those of the whole history; `in_visits` is, too, as long as
    the newest interactions reach back so many visits. Of late ones an occasion may be missed.

    Args:
        touches: what B users did.
        now_ms: (B,) the moment at which each is asked about.
    """
    older = touches.older
    rows = _rows(touches)
    starts, order = rows.starts, rows.order
    age_days = (now_ms[rows.users] - rows.ts_ms) / MS_PER_DAY
    numbers = touches.places.astype(np.int64)
    return OwnItems(
        users=rows.users[starts],
        items=rows.items[starts],
        counts=_merged(np.add, older["count"], np.ones_like(touches.items), rows),
        occasions=_over(np.add, rows.occasions, starts),
        decayed=_over(np.add, rows.weights * np.exp2(_LOG2_DECAY * age_days), starts),
        first_ts_ms=_merged(np.minimum, older["first_ts_ms"], touches.ts_ms, rows),
        last_ts_ms=_over(np.maximum, rows.ts_ms, starts),
        kinds=_merged(np.bitwise_or, older["kinds"], 1 << touches.kinds, rows),
        places=_merged(np.bitwise_or, older["places"], 1 << numbers, rows),
        in_visits=_in_visits(visits_back(_stacked(touches.older_users, touches.users)[order], rows.ts_ms), rows),
    )


def visits_back(users: Numbers, ts_ms: Numbers) -> Numbers:
    """(E,) how many visits each interaction lies behind its user's newest visit.

    A visit ends where the user lets more than `OCCASION_GAP_MS` pass without an interaction. The interactions come in
    any order; B users, numbered from 0.
    """
    keys = users << _TIME_BITS | ts_ms
    order = np.argsort(keys)
    ordered = keys[order]
    # Another user's keys are further away than any time.
    visits = np.cumsum(np.diff(ordered, prepend=ordered[:1]) > OCCASION_GAP_MS, dtype=np.int64)
    newest = np.zeros(int(users.max(initial=-1)) + 1, np.int64)
    newest[users[order]] = visits  # the last one written stays
    back = np.empty_like(visits)
    back[order] = newest[users[order]] - visits
    return back


def _rows(touches: Touches) -> _Rows:
    older, ones = touches.older, np.ones_like(touches.items)
    users = _stacked(touches.older_users, touches.users)
    items = _stacked(touches.older_items, touches.items)
    pairs = users << int(items.max(initial=0)).bit_length() | items
    order = np.argsort(pairs, kind="stable")
    pairs, ts_ms = pairs[order], _stacked(older["last_ts_ms"], touches.ts_ms)[order]
    begins = np.diff(pairs, prepend=-1) != 0
    counted = begins | (np.diff(ts_ms, prepend=0) > OCCASION_GAP_MS) | (order < len(older))
    return _Rows(
        users=users[order],
        items=items[order],
        starts=np.flatnonzero(begins),
        begins=begins,
        order=order,
        ts_ms=ts_ms,
        occasions=_stacked(older["occasions"], ones)[order] * counted,
        weights=_stacked(older["decayed"], ones)[order] * counted,
    )


def _in_visits(back: Numbers, rows: _Rows) -> Numbers:
    comes = rows.begins | (np.diff(back, prepend=-1) != 0)
    within = comes[:, None] & (back[:, None] < np.array(VISIT_COUNTS))
    return _over(np.add, within.astype(np.int64), rows.starts)


def _merged(merge: np.ufunc, older: NDArray[Any], newest: NDArray[Any], rows: _Rows) -> NDArray[Any]:
    return _over(merge, _stacked(older, newest)[rows.order], rows.starts)


def _over(merge: np.ufunc, values: NDArray[Any], starts: Numbers) -> NDArray[Any]:
    return merge.reduceat(values, starts, axis=0) if len(starts) else values


def _stacked(older: NDArray[Any], newest: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate((older.astype(newest.dtype) if older.dtype.kind != "f" else older, newest))
