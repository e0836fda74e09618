"""What people did, as columns: the one form in which training and evaluation see a data set.

This module does not know where the data came from.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.contracts.catalog import CatalogItem
from app.data.shop import ShopFacts


@dataclass(frozen=True, slots=True, eq=False)
class Interactions:
    """Interactions in time order; ties keep the order of the source (stable sort).

    Args:
        users: (E,) index into `user_ids`.
        items: (E,) index into `item_ids`.
        kinds: (E,) the numbers of `app.interests.state.Kind`.
        ts_ms: (E,) event times, not decreasing, milliseconds since 1970 (UTC).
        ratings: (E,) stars, NaN where there are none.
        user_ids: every user by index.
        item_ids: every item by index, also those nobody touched.
        places: (E,) where it happened, index into `place_ids`, -1 where it is not known; None: never known.
        baskets: (E,) which purchase or session it was part of, numbered from 0 by their first line; None: not known.
        quantities: (E,) how many or how much, NaN where it is not known; None: never known.
        place_ids: every place by index; empty where places are never known.
    """

    users: NDArray[np.int32]
    items: NDArray[np.int32]
    kinds: NDArray[np.int8]
    ts_ms: NDArray[np.int64]
    ratings: NDArray[np.float32]
    user_ids: tuple[str, ...]
    item_ids: tuple[str, ...]
    places: NDArray[np.int32] | None = None
    baskets: NDArray[np.int32] | None = None
    quantities: NDArray[np.float32] | None = None
    place_ids: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.users)

    def take(self, selection: slice | NDArray[np.bool_] | NDArray[np.intp]) -> "Interactions":
        """The selected interactions in their order; users, items and places keep their indices."""
        return replace(
            self,
            users=self.users[selection],
            items=self.items[selection],
            kinds=self.kinds[selection],
            ts_ms=self.ts_ms[selection],
            ratings=self.ratings[selection],
            places=None if self.places is None else self.places[selection],
            baskets=None if self.baskets is None else self.baskets[selection],
            quantities=None if self.quantities is None else self.quantities[selection],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Interactions with the catalog they point into: `catalog[i].item_id == interactions.item_ids[i]`.

    `fingerprint` is the sha256 of the source files. `shop` is what else is known; its columns are of all
    `interactions`.
    """

    name: str
    interactions: Interactions
    catalog: tuple[CatalogItem, ...]
    fingerprint: str
    shop: ShopFacts | None = None


@dataclass(frozen=True, slots=True, eq=False)
class TimeSplit:
    """One cut through time: everything in `before` is older than (or tied with) everything in `after`."""

    before: Interactions
    after: Interactions


def in_time_order(interactions: Interactions) -> Interactions:
    """The interactions sorted by time, ties in their present order."""
    return interactions.take(np.argsort(interactions.ts_ms, kind="stable"))


def split_newest(interactions: Interactions, newest: int) -> TimeSplit:
    """Cut off the `newest` interactions; all of them where there are fewer."""
    cut = max(0, len(interactions) - newest)
    return TimeSplit(before=interactions.take(slice(0, cut)), after=interactions.take(slice(cut, None)))


def by_user(interactions: Interactions) -> list[NDArray[np.intp]]:
    """For every user index the positions of the user's interactions, in time order."""
    order = np.argsort(interactions.users, kind="stable")
    counts = np.bincount(interactions.users, minlength=len(interactions.user_ids))
    return list(np.split(order, np.cumsum(counts)[:-1]))
