"""What counts are asked with, and what they answer: flat columns over a batch of users. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_server.counts.neighbours import NeighbourTable


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """R items that the histories of a batch of users are read by.

    Args:
        users: (R,) int64, whose: 0 to B - 1.
        items: (R,) int64, row numbers.
        weights: (R,) float64, how much each counts.
    """

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    weights: NDArray[np.float64]

    def kept(self, which: NDArray[np.bool_]) -> "Readings":
        """Some of them."""
        return Readings(self.users[which], self.items[which], self.weights[which])

    def of_items_below(self, items: int) -> "Readings":
        """Those of the first `items` row numbers."""
        return self.kept((self.items >= 0) & (self.items < items))


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """What speaks for an item, (E,) each: whose item, which, how much. An item may come more than once: they add up."""

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    worth: NDArray[np.float64]


def newest_readings(users: NDArray[np.int64], items: NDArray[np.int64], most: int, recency: float) -> Readings:
    """Everybody's newest `most` interactions, the m-th newest (from 0) weighted `recency ** m`.

    Args:
        users: (E,) ascending; each user's interactions oldest first.
        items: (E,) row numbers, negative for an item without one; it takes no place.
        most: see above.
        recency: see above.
    """
    users, items = users[items >= 0], items[items >= 0]
    ends = np.searchsorted(users, users, side="right")
    age = ends - 1 - np.arange(len(users))
    read = age < most
    weights: NDArray[np.float64] = np.power(recency, age[read], dtype=np.float64)
    return Readings(users[read], items[read], weights)


def read_table(table: NeighbourTable, readings: Readings) -> Entries:
    """What histories speak for by a table of neighbours (`model_server.counts.neighbours`)."""
    known = readings.of_items_below(table.items)
    starts = table.starts[known.items]
    sizes = table.starts[known.items + 1] - starts
    shifts = np.repeat(starts - (np.cumsum(sizes) - sizes), sizes)
    places = shifts + np.arange(len(shifts))
    worth = table.weights[places].astype(np.float64) * np.repeat(known.weights, sizes)
    return Entries(np.repeat(known.users, sizes), table.neighbours[places].astype(np.int64), worth)
