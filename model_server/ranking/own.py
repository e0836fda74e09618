"""One row per item that a user had to do with: what is known of it, counted over the user's interactions."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.data.local_time import MS_PER_DAY
from model_server.ranking.lines import Lines, Moments

DECAY_A_DAY: Final = 0.99
FAST_DECAY_A_DAY: Final = 0.9
RECENT_VISITS: Final = (1, 2, 3, 5)


@dataclass(frozen=True, slots=True, eq=False)
class OwnItems:
    """P rows sorted by (owner, item).

    Args:
        owners, items: (P,) int64.
        count: (P,) interactions.
        occasions: (P,) visits with at least one.
        decayed: (P,) visits with it, each worth .99 a day of its age.
        fast: (P,) the same at .9 a day, of the newest interactions alone.
        first_days, last_days: (P,) days since the first and the last.
        here: (P,) 1 where one was at the place of the moment, else 0.
        recent: (P, 4) in how many of the newest 1, 2, 3, 5 visits, as far as the newest interactions tell.
    """

    owners: NDArray[np.int64]
    items: NDArray[np.int64]
    count: NDArray[np.float64]
    occasions: NDArray[np.float64]
    decayed: NDArray[np.float64]
    fast: NDArray[np.float64]
    first_days: NDArray[np.float64]
    last_days: NDArray[np.float64]
    here: NDArray[np.float64]
    recent: NDArray[np.float64]


def own_items(lines: Lines, moments: Moments, window: int) -> OwnItems:
    """The owners' items.

    Args:
        lines: whole histories.
        moments: theirs.
        window: so many of the newest interactions of each user are kept one by one (the state's bound); visits and
            `fast` are counted from them, everything else from all.
    """
    order = np.argsort(lines.owners * (lines.items.max(initial=0) + 1) + lines.items, kind="stable")
    owners, items, ago = lines.owners[order], lines.items[order], lines.visits_ago[order]
    begins = np.ones(len(order), np.bool_)
    begins[1:] = (np.diff(owners) != 0) | (np.diff(items) != 0)
    other_visit = begins.copy()
    other_visit[1:] |= np.diff(ago) != 0
    kept = (lines.behind() <= window)[order]
    days = (moments.now_ms[owners] - lines.ts_ms[order]) / MS_PER_DAY
    places = lines.places[order]
    starts = np.flatnonzero(begins)
    ends = np.append(starts[1:], len(order))[: len(starts)] - 1

    def summed(values: NDArray[Any]) -> NDArray[np.float64]:
        # reduceat refuses an empty array.
        return np.add.reduceat(values.astype(np.float64), starts) if len(starts) else np.zeros(0)

    return OwnItems(
        owners=owners[starts],
        items=items[starts],
        count=summed(np.ones(len(order))),
        occasions=summed(other_visit),
        decayed=summed(other_visit * DECAY_A_DAY**days),
        fast=summed(kept * other_visit * FAST_DECAY_A_DAY**days),
        first_days=days[starts],
        last_days=days[ends],
        here=np.minimum(summed((places == moments.places[owners]) & (places >= 0)), 1.0),
        recent=np.stack([summed(other_visit & kept & (ago <= visits)) for visits in RECENT_VISITS], axis=1),
    )
