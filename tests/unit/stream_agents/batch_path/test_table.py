"""The table's partitions in batches, on a real RocksDB."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.errors import StateError
from app.state_folder import MAX_UNREAD_MS
from stream_agents.batch_path.database import MB, PartitionDatabase
from stream_agents.batch_path.table import BatchTable, PartitionLost

NOW_MS = 1_790_000_000_000


def table_of(databases: dict[int, Any]) -> BatchTable:
    return BatchTable(SimpleNamespace(data=SimpleNamespace(_dbs=databases, offset_key=b"offset")))


@pytest.fixture
def databases(tmp_path: Path) -> dict[int, Any]:
    partitions = PartitionDatabase(MB, lambda: NOW_MS)
    return {0: partitions.open(tmp_path / "0"), 1: partitions.open(tmp_path / "1")}


def test_rows_come_in_the_order_of_the_keys_with_gaps(databases: dict[int, Any]) -> None:
    table = table_of(databases)
    table.write(0, {b"a": b"1", b"b": b"2", b"c": b"3"}, 7)
    table.write(0, {b"b": None}, 8)

    assert table.read(0, [b"c", b"b", b"x", b"a"]) == [b"3", None, None, b"1"]
    assert table.read(0, []) == []
    assert table.read(1, [b"a"]) == [None]
    assert (table.changelog_offset(0), table.changelog_offset(1)) == (8, -1)


def test_a_closed_partition_is_lost_and_not_opened(databases: dict[int, Any]) -> None:
    table = table_of(databases)
    del databases[1]

    for use in (lambda: table.read(1, [b"a"]), lambda: table.write(1, {}, 1), lambda: table.changelog_offset(1)):
        with pytest.raises(PartitionLost):
            use()
    assert set(databases) == {0}


def test_a_flush_brings_every_partition_to_disk(databases: dict[int, Any], tmp_path: Path) -> None:
    table = table_of(databases)
    for partition in (0, 1):
        table.write(partition, {b"a": b"1"}, 3)
    table.flush()

    for partition, database in databases.items():
        database.flush(wait=True)  # waits for the one under way
        assert list((tmp_path / str(partition)).glob("*.sst"))
    assert table.disk_bytes() > 0
    assert table.estimated_rows() == 6  # in each a row, its offset and until when it was read


def test_a_partition_that_is_open_and_not_read_on_is_out_of_date(databases: dict[int, Any]) -> None:
    table = table_of(databases)
    table.note_read_until(1, NOW_MS + 1_000)

    assert table.outdated(NOW_MS + MAX_UNREAD_MS) == []
    assert table.outdated(NOW_MS + MAX_UNREAD_MS + 1) == [0]
    assert table.outdated(NOW_MS + MAX_UNREAD_MS + 1_001) == [0, 1]


def test_a_partition_that_is_out_of_date_never_counts_as_read_on(databases: dict[int, Any]) -> None:
    table = table_of(databases)

    with pytest.raises(StateError, match="deletions may be missing"):
        table.note_read_until(0, NOW_MS + MAX_UNREAD_MS + 1)
    assert table.outdated(NOW_MS + MAX_UNREAD_MS + 1) == [0, 1]


def test_a_full_disk_is_told_as_such() -> None:
    class Full:
        def write(self, _batch: Any) -> None:
            raise OSError("IO error: No space left on device: while appending to file: 000012.sst")

        def flush(self, *, wait: bool) -> None:
            raise OSError("IO error: No space left on device")

    table = table_of({0: Full()})

    with pytest.raises(StateError, match="disk of the state folder is full"):
        table.write(0, {}, 1)
    with pytest.raises(StateError, match="disk of the state folder is full"):
        table.flush()
