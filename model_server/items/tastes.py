"""What users' own counts of trained items are worth to new ones: a sparse table that follows the catalog.

Written and read under the index's lock. Knows no texts: model_server.items.borrowing says who lends what.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

MOST: Final = 10_000
"""New items that have a place here, the newest; every batch of users passes over all of them."""

_START_CAPACITY: Final = 256


@dataclass(frozen=True, slots=True, eq=False)
class TasteTable:
    """M new items. Good for as long as the index stands still.

    Args:
        slots: (M,) int64, theirs.
        worth: (M, N) by slot of a trained item: what it is worth to have taken that once.
    """

    slots: NDArray[np.int64]
    worth: sparse.csr_array


class Tastes:
    """See the module.

    Args:
        each: K, the lenders of an item: half a kilobyte where they are 60.
    """

    def __init__(self, each: int) -> None:
        self._each = each
        self._rows: dict[int, int] = {}  # slot -> row, the oldest first
        self._slots = np.zeros(_START_CAPACITY, np.int64)
        self._lenders = np.zeros((_START_CAPACITY, each), np.int32)
        self._worth = np.zeros((_START_CAPACITY, each), np.float32)

    def put(self, slots: Sequence[int], lenders: NDArray[np.int64], worth: NDArray[np.float32]) -> None:
        """These new items borrow so: (n, K) slots of trained items and what each is worth."""
        self.drop(slots)
        slots, lenders, worth = slots[-MOST:], lenders[-MOST:], worth[-MOST:]
        used = len(self._rows)
        self.drop(list(self._rows)[: max(0, used + len(slots) - MOST)])
        first, end = len(self._rows), len(self._rows) + len(slots)
        self._grow(end)
        self._slots[first:end], self._lenders[first:end], self._worth[first:end] = slots, lenders, worth
        self._rows.update(zip(slots, range(first, end), strict=True))

    def drop(self, slots: Iterable[int]) -> None:
        """These are not for sale any more. The last row takes the place of one that goes."""
        for slot in slots:
            row = self._rows.pop(slot, None)
            last = len(self._rows)
            if row is None or row == last:
                continue
            moved = int(self._slots[last])
            self._slots[row], self._lenders[row], self._worth[row] = moved, self._lenders[last], self._worth[last]
            self._rows[moved] = row

    def table(self, width: int) -> TasteTable:
        """All of it as it is now, copying nothing; `width` is N."""
        rows = len(self._rows)
        starts = np.arange(rows + 1, dtype=np.int32) * self._each
        parts = self._worth[:rows].ravel(), self._lenders[:rows].ravel(), starts
        return TasteTable(self._slots[:rows], sparse.csr_array(parts, shape=(rows, width)))

    def _grow(self, needed: int) -> None:
        more = len(self._slots)
        if needed <= more:
            return
        more = max(more, needed - more)
        self._slots = np.concatenate((self._slots, np.zeros(more, np.int64)))
        self._lenders = np.concatenate((self._lenders, np.zeros((more, self._each), np.int32)))
        self._worth = np.concatenate((self._worth, np.zeros((more, self._each), np.float32)))
