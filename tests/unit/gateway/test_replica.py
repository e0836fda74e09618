"""The newest value of every key on disk: the higher version wins, and offsets go with the rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.gateway.replica import Replica, Row, folder_of
from app.state_folder import MAX_UNREAD_MS

NOW_MS = 1_790_000_000_000


@dataclass(frozen=True)
class Record:
    offset: int
    key: bytes | None
    value: bytes | None


def version_of(value: bytes) -> int | None:
    return int(value) if value.isdigit() else None


@pytest.fixture
def replica(tmp_path: Path) -> Iterator[Replica]:
    opened = Replica(tmp_path / "lists", 1, version_of, NOW_MS)
    yield opened
    opened.close()


def test_the_higher_version_wins_within_a_batch_and_between_batches(replica: Replica) -> None:
    taken = replica.take({0: [Record(0, b"ann", b"5"), Record(1, b"ann", b"4"), Record(2, b"bob", b"1")]}, NOW_MS)
    assert dict(taken.changed) == {"ann": Row(5, NOW_MS, b"5"), "bob": Row(1, NOW_MS, b"1")}
    assert taken.stale == 1
    assert replica.take({0: [Record(3, b"ann", b"3")]}, NOW_MS).changed == {}
    assert replica.get("ann") == Row(5, NOW_MS, b"5")


def test_of_equal_versions_the_later_wins(replica: Replica) -> None:
    replica.take({0: [Record(0, b"ann", b"5")]}, NOW_MS)
    replica.take({0: [Record(1, b"ann", b"05")]}, NOW_MS + 1)
    assert replica.get("ann") == Row(5, NOW_MS + 1, b"05")


def test_a_null_value_erases_and_what_comes_after_it_counts(replica: Replica) -> None:
    replica.take({0: [Record(0, b"ann", b"5")]}, NOW_MS)
    assert replica.take({0: [Record(1, b"ann", None)]}, NOW_MS).changed == {"ann": None}
    assert replica.get("ann") is None
    taken = replica.take({0: [Record(2, b"ann", b"6"), Record(3, b"ann", None), Record(4, b"ann", b"2")]}, NOW_MS)
    assert taken.changed["ann"] == Row(2, NOW_MS, b"2")


def test_what_cannot_be_read_is_counted_and_passed_over(replica: Replica) -> None:
    taken = replica.take({0: [Record(0, b"ann", b"5"), Record(1, b"ann", b"?"), Record(2, None, b"9")]}, NOW_MS)
    assert (taken.unreadable, replica.get("ann")) == (2, Row(5, NOW_MS, b"5"))
    assert replica.offsets() == {0: 3}


def test_rows_offsets_and_notes_are_there_after_a_restart(tmp_path: Path) -> None:
    first = Replica(tmp_path / "lists", 1, version_of, NOW_MS)
    first.take({0: [Record(0, b"ann", b"5")], 3: [Record(70, b"bob", b"6")]}, NOW_MS)
    first.write_note("note", b"kept")
    first.close()
    second = Replica(tmp_path / "lists", 1, version_of, NOW_MS)
    assert (second.get("ann"), second.offsets(), second.note("note")) == (Row(5, NOW_MS, b"5"), {0: 1, 3: 71}, b"kept")
    second.start_over(NOW_MS)
    assert (second.get("ann"), second.offsets(), second.note("note")) == (None, {}, None)
    second.close()


def test_what_was_not_read_on_for_half_a_day_is_read_again_for_tombstones_may_be_gone(tmp_path: Path) -> None:
    first = Replica(tmp_path / "lists", 1, version_of, NOW_MS)
    first.take({0: [Record(0, b"ann", b"5")]}, NOW_MS)
    first.flush(NOW_MS + 1_000)
    first.flush(None)
    first.close()
    soon = Replica(tmp_path / "lists", 1, version_of, NOW_MS + 1_000 + MAX_UNREAD_MS)
    assert soon.offsets() == {0: 1}
    soon.close()
    late = Replica(tmp_path / "lists", 1, version_of, NOW_MS + 1_001 + MAX_UNREAD_MS)
    assert (late.get("ann"), late.offsets()) == (None, {})
    late.close()


def test_some_row_is_found_where_there_is_one(replica: Replica) -> None:
    replica.write_note("note", b"no row")
    assert replica.any_row() is None
    replica.take({0: [Record(0, b"ann", b"5")]}, NOW_MS)
    assert replica.any_row() == Row(5, NOW_MS, b"5")


def test_a_topic_made_anew_has_a_folder_of_its_own_and_the_old_one_goes(tmp_path: Path) -> None:
    old = folder_of(tmp_path, "lists", "id-1")
    Replica(old, 1, version_of, NOW_MS).close()
    (tmp_path / "lists-id-1.gone").mkdir()  # killed while it was removed
    other = folder_of(tmp_path, "states", "id-9")
    other.mkdir()
    assert folder_of(tmp_path, "lists", "id-1") == old
    new = folder_of(tmp_path, "lists", "id-2")
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["states-id-9"]
    assert new != old


def test_a_flush_that_comes_after_the_end_harms_nobody(tmp_path: Path) -> None:
    replica = Replica(tmp_path / "lists", 1, version_of, NOW_MS)
    replica.close()
    replica.flush(NOW_MS)
