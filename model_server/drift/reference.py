"""What the events were like on which a version was trained: histograms that live events are held against.

Bins are the same for every version, but for items: a tenth of the known items by their popularity before the events
that are counted, the most popular first, and one bin for items that nobody had touched before. Of live events that is
the popularity at the cut. It must never be that of the counted events themselves: ordered by what they took, they would
always look more drawn to the popular than what comes next, without any drift.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.data.interactions import Interactions
from app.data.popularity import popularity_of
from app.interests.state import Kind
from model_server.model.sequences import NEGATIVE_KINDS

TENTHS: Final = 10
UNTRAINED: Final = TENTHS
ITEM_BINS: Final = TENTHS + 1
KIND_BINS: Final = max(Kind) + 1
ACTIVITY: Final = (0, 1, 2, 4, 8, 16, 32)
"""Events that a user had before this one, where bins begin; a state remembers no more than fifty."""

_NEWEST: Final = 0.2
_LEAST: Final = 2_000
_MS_PER_HOUR: Final = 3_600_000
_HOURS: Final = 24


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of the newest fifth of the events that a version was trained on, by bin.

    Args:
        kinds: (9,) by number of `Kind`.
        hours: (24,) of the day, UTC.
        items: (11,) by tenth of popularity; see the module. Zeros where no event is older than the counted ones.
        activity: (7,) by the user's events before, see `ACTIVITY`.
    """

    kinds: tuple[int, ...]
    hours: tuple[int, ...]
    items: tuple[int, ...]
    activity: tuple[int, ...]


def tenths_of(popularity: Mapping[str, float]) -> dict[str, int]:
    """Known item -> its tenth, 0 for the most popular ones; ties by id."""
    order = sorted(popularity, key=lambda item_id: (-popularity[item_id], item_id))
    return {item_id: place * TENTHS // len(order) for place, item_id in enumerate(order)}


def activity_bin(events: int) -> int:
    """The bin of a user who had so many events."""
    return int(np.searchsorted(ACTIVITY, events, side="right")) - 1


def reference_of(log: Interactions, half_life_days: float) -> Reference:
    """The reference that these events make; what turns an item down is left out, as live counting leaves it out.

    Args:
        log: what a version is trained on, in time order.
        half_life_days: of the popularity of items.
    """
    first = max(0, len(log) - max(_LEAST, int(len(log) * _NEWEST)))
    had = _had_before(log)
    kept = np.arange(len(log)) >= first
    kept &= ~np.isin(log.kinds, sorted(NEGATIVE_KINDS))
    return Reference(
        kinds=_counts(log.kinds[kept], KIND_BINS),
        hours=_counts(log.ts_ms[kept] // _MS_PER_HOUR % _HOURS, _HOURS),
        items=_items(log.take(slice(0, first)), log.items[kept], half_life_days),
        activity=_counts(np.searchsorted(ACTIVITY, had[kept], side="right") - 1, len(ACTIVITY)),
    )


def _items(before: Interactions, items: NDArray[np.int32], half_life_days: float) -> tuple[int, ...]:
    """(11,) of these, by the popularity before them."""
    if not len(before):
        return (0,) * ITEM_BINS
    tenths = tenths_of(popularity_of(before, half_life_days).weights)
    tenth_of = np.array([tenths.get(item_id, UNTRAINED) for item_id in before.item_ids], np.int64)
    return _counts(tenth_of[items], ITEM_BINS)


def _had_before(log: Interactions) -> NDArray[np.int64]:
    """(E,) how many events the user had before each."""
    order = np.argsort(log.users, kind="stable")
    counts = np.bincount(log.users, minlength=len(log.user_ids))
    had = np.empty(len(log), np.int64)
    had[order] = np.arange(len(log)) - np.repeat(np.cumsum(counts) - counts, counts)
    return had


def _counts(bins: NDArray[np.integer], size: int) -> tuple[int, ...]:
    return tuple(np.bincount(bins.astype(np.int64), minlength=size).tolist())
