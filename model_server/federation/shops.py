"""One data set, dealt out to shops: as it was where the data know places, else by chance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.data.interactions import Interactions
from app.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class Shop:
    """Its name, and (U,) its users, index into `user_ids`. Nobody is in two shops."""

    name: str
    users: NDArray[np.int64]


def deal_out(log: Interactions, shops: int, seed: int) -> list[Shop]:
    """So many shops.

    Where places are known the shops are the places at which the most people shop mostly; people of other places are
    left out. Elsewhere everybody is dealt out by chance, to shops of like size.

    Raises:
        DataError: there are fewer places, or people, than shops.
    """
    users = np.unique(log.users).astype(np.int64)
    if log.places is not None and len(log.place_ids):
        return _by_place(log, users, shops)
    if len(users) < shops:
        raise DataError(f"{len(users)} people cannot be dealt out to {shops} shops.", hint="Ask for fewer --shops.")
    parts = np.array_split(np.random.default_rng(seed).permutation(users), shops)
    return [Shop(f"shop {number}", np.sort(part)) for number, part in enumerate(parts, start=1)]


def of_shops(log: Interactions, shops: Sequence[Shop]) -> Interactions:
    """What the users of these shops did."""
    return log.take(np.isin(log.users, np.concatenate([shop.users for shop in shops])))


def _by_place(log: Interactions, users: NDArray[np.int64], shops: int) -> list[Shop]:
    mostly = _most_frequent_place(log, users)
    people = np.bincount(mostly[mostly >= 0], minlength=len(log.place_ids))
    largest = np.argsort(-people, kind="stable")[:shops]
    if np.count_nonzero(people[largest]) < shops:
        raise DataError(
            f"People shop mostly at {np.count_nonzero(people)} places; {shops} shops were wanted.",
            hint="Ask for fewer --shops.",
        )
    return [Shop(str(log.place_ids[place]), users[mostly == place]) for place in largest]


def _most_frequent_place(log: Interactions, users: NDArray[np.int64]) -> NDArray[np.int64]:
    """(U,) where each of the users did the most, -1 where that is not known."""
    if log.places is None:
        return np.full(len(users), -1, np.int64)
    known = log.places >= 0
    pairs, counts = np.unique(
        log.users[known].astype(np.int64) * len(log.place_ids) + log.places[known], return_counts=True
    )
    found = np.full(len(log.user_ids), -1, np.int64)
    order = np.argsort(counts, kind="stable")  # the most frequent one is written last
    found[pairs[order] // len(log.place_ids)] = pairs[order] % len(log.place_ids)
    return found[users]
