"""The RocksDB partitions behind a Faust table, read and written in batches.

Nothing here keeps a database handle: as long as one lives, RocksDB keeps its LOCK, and the next owner cannot open
the partition. A partition that Faust has closed reads as lost; it is never opened from here.

What is written is in memory until RocksDB flushes it: when a buffer is full, when the partition is closed, and when
`flush` is called. A killed process falls back to the last flush, rows and changelog offset together, and restores the
rest from the changelog (`database.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import rocksdict

from app.errors import StateError
from stream_agents.batch_path.database import is_outdated, note_read_until, outdated_error
from stream_agents.batch_path.lease import LeaseLost

_NO_SPACE = "No space left on device"


class PartitionLost(LeaseLost):
    """Faust has closed this partition of the table: it belongs to somebody else now."""


class BatchTable:
    """The rows of a Faust table with raw keys and values."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def read(self, partition: int, keys: Sequence[bytes]) -> list[bytes | None]:
        """The rows of these keys; None where there is none.

        Raises:
            PartitionLost: the partition was closed.
        """
        if not keys:
            return []
        rows: list[bytes | None] = self._database(partition).get(list(keys))
        return rows

    def changelog_offset(self, partition: int) -> int:
        """The last changelog offset that the partition contains; -1 for none.

        Raises:
            PartitionLost: the partition was closed.
        """
        persisted = self._database(partition).get(self._store.offset_key)
        return -1 if persisted is None else int(persisted)

    def write(self, partition: int, rows: Mapping[bytes, bytes | None], changelog_offset: int) -> None:
        """Write rows (None deletes) and the changelog offset that contains them, all or nothing, into memory.

        Raises:
            PartitionLost: the partition was closed.
            StateError: the disk takes no more.
        """
        batch = rocksdict.WriteBatch(raw_mode=True)
        for key, row in rows.items():
            if row is None:
                batch.delete(key)
            else:
                batch.put(key, row)
        batch.put(self._store.offset_key, b"%d" % changelog_offset)
        database = self._database(partition)
        with _disk_errors():
            database.write(batch)

    def note_read_until(self, partition: int, at_ms: int) -> None:
        """Everything that lay in the changelog at that time (ms since 1970) is in the partition.

        Raises:
            PartitionLost: the partition was closed.
            StateError: tombstones may have been gone by then that lay in it after the time before.
        """
        database = self._database(partition)
        if is_outdated(database, at_ms):
            raise outdated_error([partition])
        note_read_until(database, at_ms)

    def outdated(self, now_ms: int) -> list[int]:
        """The open partitions that may have missed tombstones by now (`database.is_outdated`)."""
        return [number for number, database in list(self._databases.items()) if is_outdated(database, now_ms)]

    def flush(self) -> None:
        """Have all open partitions written to disk soon; does not wait for it.

        Raises:
            StateError: the disk takes no more.
        """
        for database in list(self._databases.values()):
            with _disk_errors():
                database.flush(wait=False)

    def estimated_rows(self) -> int:
        """How many rows all open partitions hold, as RocksDB estimates it."""
        return self._sum_property("rocksdb.estimate-num-keys")

    def disk_bytes(self) -> int:
        """How many bytes all open partitions occupy in sorted files."""
        return self._sum_property("rocksdb.total-sst-files-size")

    def _sum_property(self, name: str) -> int:
        return sum(database.property_int_value(name) or 0 for database in list(self._databases.values()))

    @property
    def _store(self) -> Any:
        return self._table.data

    @property
    def _databases(self) -> Mapping[int, Any]:
        """The open partitions."""
        databases: Mapping[int, Any] = self._store._dbs  # noqa: SLF001  # the public way opens a lost partition; checked at start (compatibility.py)
        return databases

    def _database(self, partition: int) -> Any:
        database = self._databases.get(partition)
        if database is None:
            raise PartitionLost(f"partition {partition} of the table is closed")
        return database


@contextmanager
def _disk_errors() -> Iterator[None]:
    """Say in words of ours that the disk is full."""
    try:
        yield
    except Exception as error:  # rocksdict has no class of its own
        if _NO_SPACE not in str(error):
            raise
        raise StateError(
            "The disk of the state folder is full; what it did not take is safe in the changelog.",
            hint="Free some space there (RIVERRUN_AGENTS__STATE_DIR) and start again.",
        ) from error
