"""Holes in a changelog, and whose rows are the last word."""

from app.kafka.outgoing import Appended
from stream_agents.batch_path.changelog import ForeignRow, Hole, holes, rows_to_assert


def test_contiguous_batches_have_no_hole() -> None:
    assert holes(10, [Appended(10, 5), Appended(15, 1)]) == []


def test_foreign_records_before_and_between_batches_are_holes() -> None:
    assert holes(10, [Appended(12, 5), Appended(20, 1)]) == [Hole(10, 12), Hole(17, 20)]


def test_an_idle_partition_whose_log_grew_has_a_hole() -> None:
    assert holes(10, [Appended(10, 0)]) == []
    assert holes(10, [Appended(13, 0)]) == [Hole(10, 13)]


def test_rows_that_a_stranger_wrote_differently_are_asserted_again() -> None:
    foreign = [
        ForeignRow(b"same", b"ours"),
        ForeignRow(b"stale", b"theirs"),
        ForeignRow(b"erased by them", None),
        ForeignRow(b"erased by us", b"theirs"),
        ForeignRow(b"in the batch", b"theirs"),
        ForeignRow(b"twice", b"theirs"),
        ForeignRow(b"twice", b"ours"),
    ]
    table = {
        b"same": b"ours",
        b"stale": b"ours",
        b"erased by them": b"ours",
        b"twice": b"ours",
        b"in the batch": b"old",
    }

    again = rows_to_assert(foreign, {b"in the batch": b"new"}, lambda keys: [table.get(key) for key in keys])

    assert again == {
        b"stale": b"ours",
        b"erased by them": b"ours",
        b"erased by us": None,
        b"in the batch": b"new",
    }
