"""Which row of the counts is which slot of the item index.

Counts outlive slots: an item that leaves the shop keeps its row, and its slot may become another item's. Rows are
handed out by whoever counts events, slots by the item index, from different threads.
"""

import threading
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

NONE: Final = -1
_MAX_ROWS: Final = 1 << 20


class ItemRows:
    """See the module.

    Args:
        item_ids: the items of the first rows, in their order.
        max_rows: no more are handed out: garbage in the events must not fill the memory.
    """

    def __init__(self, item_ids: Sequence[str] = (), max_rows: int = _MAX_ROWS) -> None:
        self._lock = threading.Lock()
        self._ids = list(item_ids)
        self._rows = {item_id: row for row, item_id in enumerate(item_ids)}
        self._max_rows = max_rows
        self._linked = 0  # so many rows were looked for in the index
        self._slots = np.full(len(self._ids), NONE, np.int64)  # by row
        self._of_slots = np.full(0, NONE, np.int64)  # by slot

    def __len__(self) -> int:
        return len(self._ids)

    def row(self, item_id: str) -> int:
        """The item's row, a new one where it has none; `NONE` when there are too many."""
        row = self._rows.get(item_id)
        if row is not None:
            return row
        with self._lock:
            if len(self._ids) >= self._max_rows:
                return NONE
            self._ids.append(item_id)
            self._rows[item_id] = len(self._ids) - 1
            return len(self._ids) - 1

    def placed(self, item_ids: Sequence[str], slots: Sequence[int]) -> None:
        """The items have these slots from now on."""
        with self._lock:
            self._fit(max(slots, default=NONE) + 1)
            for item_id, slot in zip(item_ids, slots, strict=True):
                self._link(self._rows.get(item_id, NONE), slot)

    def link(self, position: Mapping[str, int]) -> None:
        """Find the slots (`position`: item id -> slot) of rows handed out since the last time."""
        if self._linked == len(self._ids):
            return
        with self._lock:
            self._fit(0)
            for row in range(self._linked, len(self._ids)):
                slot = position.get(self._ids[row], NONE)
                if slot != NONE:
                    self._fit(slot + 1)
                    self._link(row, slot)
            self._linked = len(self._ids)

    def rows_of(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows of these slots, `NONE` for an item that was never counted."""
        rows: NDArray[np.int64] = self._of_slots[slots]
        return rows

    def slots_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The slots of these rows, `NONE` for an item that the index does not know."""
        known = rows < len(self._slots)  # the others were handed out after `link`
        if known.all():
            return self._slots[rows]
        slots = np.full(len(rows), NONE, np.int64)
        slots[known] = self._slots[rows[known]]
        return slots

    def _link(self, row: int, slot: int) -> None:
        before = self._of_slots[slot]
        if before not in {NONE, row}:
            self._slots[before] = NONE
        self._of_slots[slot] = row
        if row != NONE:
            self._slots[row] = slot

    def _fit(self, slots: int) -> None:
        """Room for all rows and so many slots."""
        self._slots = _longer(self._slots, len(self._ids))
        self._of_slots = _longer(self._of_slots, slots)


def _longer(numbers: NDArray[np.int64], wanted: int) -> NDArray[np.int64]:
    if wanted <= len(numbers):
        return numbers
    more = np.full(max(wanted, 2 * len(numbers)) - len(numbers), NONE, np.int64)
    return np.concatenate((numbers, more))
