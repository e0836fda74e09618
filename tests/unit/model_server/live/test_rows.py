"""Rows of the counts and slots of the index find each other, whoever comes first."""

import numpy as np

from model_server.items.rows import NONE, ItemRows


def slots(rows: ItemRows, *wanted: int) -> list[int]:
    return [int(slot) for slot in rows.slots_of(np.array(wanted, np.int64))]


def of_slots(rows: ItemRows, *wanted: int) -> list[int]:
    return [int(row) for row in rows.rows_of(np.array(wanted, np.int64))]


def test_an_item_that_was_placed_first_and_counted_later_is_linked_when_the_index_is_read() -> None:
    rows = ItemRows(("a",))
    rows.placed(["a", "new"], [4, 5])
    assert rows.row("new") == 1
    assert slots(rows, 0, 1) == [4, NONE]
    rows.link({"a": 4, "new": 5})
    assert slots(rows, 0, 1) == [4, 5]
    assert of_slots(rows, 4, 5) == [0, 1]


def test_an_item_that_was_counted_first_is_linked_when_it_is_placed() -> None:
    rows = ItemRows()
    assert rows.row("a") == 0
    rows.link({})
    rows.placed(["a"], [2])
    assert slots(rows, 0) == [2]


def test_a_slot_that_became_another_items_is_no_longer_the_first_ones() -> None:
    rows = ItemRows(("a", "b"))
    rows.placed(["a"], [0])
    rows.placed(["b"], [0])
    assert slots(rows, 0, 1) == [NONE, 0]
    rows.placed(["uncounted"], [0])
    assert slots(rows, 0, 1) == [NONE, NONE]
    assert of_slots(rows, 0) == [NONE]


def test_no_more_rows_than_allowed() -> None:
    rows = ItemRows(("a",), max_rows=2)
    assert [rows.row(item_id) for item_id in ("b", "c", "a")] == [1, NONE, 0]
