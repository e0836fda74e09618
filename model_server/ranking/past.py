"""What a ranker is told of users' past: from whole histories in training, from bounded states when it serves."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.data.interactions import Interactions
from app.data.local_time import MS_PER_DAY
from app.surfaces import own_items as states
from app.surfaces.touches import Touches
from model_server.ranking.groups import Groups
from model_server.ranking.lines import NOWHERE, Lines, Moments, lines_of, visits_ago
from model_server.ranking.own import FAST_DECAY_A_DAY, OwnItems, own_items


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """The newest interactions one by one, and one row per item of everything that is remembered."""

    newest: Lines
    own: OwnItems


def past_of(histories: Sequence[Interactions], moments: Moments, window: int) -> Past:
    """From whole histories; `window` as in `own_items`."""
    lines = lines_of(histories)
    return Past(lines.newest(window), own_items(lines, moments, window))


def past_of_states(touches: Touches, moments: Moments, places: NDArray[np.int64]) -> Past:
    """From what is kept of users: the same numbers, as far as the newest interactions reach.

    Of the newest interactions only those at the place of the moment have one here: a user's own numbers of places are
    nobody else's.

    Args:
        touches: what B users did, items by the numbers of the tables.
        moments: theirs.
        places: (B,) each user's own number of the moment's place, 0 where it is not known (`places_of`).
    """
    own = states.own_items(touches, moments.now_ms)
    here = (touches.places == places[touches.users]) & (places[touches.users] > 0)
    newest = Lines(
        owners=touches.users,
        items=touches.items,
        ts_ms=touches.ts_ms,
        places=np.where(here, moments.places[touches.users], NOWHERE).astype(np.int32),
        visits_ago=visits_ago(touches.users, touches.ts_ms),
    )
    return Past(newest, _own(own, newest, moments, places))


def _own(own: states.OwnItems, newest: Lines, moments: Moments, places: NDArray[np.int64]) -> OwnItems:
    now_ms = moments.now_ms[own.users]
    return OwnItems(
        owners=own.users,
        items=own.items,
        count=own.counts.astype(np.float64),
        occasions=own.occasions.astype(np.float64),
        decayed=own.decayed,
        fast=_fast(own, newest, moments),
        first_days=(now_ms - own.first_ts_ms) / MS_PER_DAY,
        last_days=(now_ms - own.last_ts_ms) / MS_PER_DAY,
        here=own.at_place(places).astype(np.float64),
        recent=own.in_visits.astype(np.float64),
    )


def _fast(own: states.OwnItems, newest: Lines, moments: Moments) -> NDArray[np.float64]:
    span = int(own.items.max(initial=0)) + 1
    pairs = newest.owners * span + newest.items
    # The first interaction of each visit with the item: once a visit.
    _, once = np.unique(np.stack([pairs, newest.visits_ago]), axis=1, return_index=True)
    days = (moments.now_ms[newest.owners[once]] - newest.ts_ms[once]) / MS_PER_DAY
    return Groups.of(pairs[once], own.users * span + own.items).summed(FAST_DECAY_A_DAY**days)
