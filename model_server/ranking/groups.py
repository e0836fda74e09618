"""Sums over groups of rows, asked for pairs. The arithmetic under the features."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Values = NDArray[np.floating] | NDArray[np.integer]


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Rows grouped by (owner, group), and where the groups of the asked pairs are.

    Args:
        size: number of groups.
        group_of_row: (P,).
        asked: (C,) the group of each asked pair, meaningless where it is not there.
        there: (C,) whether it is.
    """

    size: int
    group_of_row: NDArray[np.int64]
    asked: NDArray[np.int64]
    there: NDArray[np.bool_]

    @classmethod
    def of(cls, rows: NDArray[np.int64], asked: NDArray[np.int64]) -> "Groups":
        """By (P,) keys of the rows and (C,) asked keys."""
        keys, group_of_row = np.unique(rows, return_inverse=True)
        if not len(keys):
            return cls(0, group_of_row, np.zeros(len(asked), np.int64), np.zeros(len(asked), np.bool_))
        places = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
        return cls(len(keys), group_of_row, places, keys[places] == asked)

    def summed(self, values: Values, missing: float = 0.0) -> Numbers:
        """(C,) the sums of (P,) values over the asked groups."""
        return self._asked(
            np.bincount(self.group_of_row, weights=values, minlength=self.size).astype(np.float64), missing
        )

    def least(self, values: Values, missing: float) -> Numbers:
        """(C,) the smallest."""
        least = np.full(self.size, np.inf)
        np.minimum.at(least, self.group_of_row, values)
        return self._asked(least, missing)

    def most(self, values: Values, missing: float) -> Numbers:
        """(C,) the largest."""
        return -self.least(-values, -missing)

    def _asked(self, values: Numbers, missing: float) -> Numbers:
        if not self.size:
            return np.full(len(self.asked), missing)
        return np.where(self.there, values[self.asked], missing)


def places_within(owners: NDArray[np.int64], values: Values) -> Numbers:
    """(C,) 0 for an owner's largest value, 1 for the next, ...; ties in their order."""
    order = np.lexsort((-values, owners))
    ordered = owners[order]
    places = np.empty(len(order))
    places[order] = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    return places
