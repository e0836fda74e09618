"""How a table partition lies in RocksDB. Measured; the numbers are in DECISIONS.md.

Every batch reads the rows of its users at random and writes each of them again. So what was just read is never asked
for in that form again, and a block cache would be filled for nothing: memory goes into write buffers, which hold the
newest rows, and the rest is the operating system's page cache. The changelog in Kafka is the write-ahead log; a second
one here would only cost time. After a crash the partition is what it was at its last flush, rows and changelog offset
alike, and the changelog is read from there.

Each partition carries the time at which everything in its changelog had been read into it. Kafka keeps a tombstone for
a day: a partition that comes back to a worker later than that would bring users back who were forgotten meanwhile. So
one that was not read on for half a day is removed before it is opened, and restored from the beginning.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import rocksdict

from app.errors import StateError
from app.state_folder import MAX_UNREAD_MS, remove_folder

log = logging.getLogger("riverrun.agents")

MB: Final = 1024 * 1024

WRITE_BUFFERS: Final = 3
BLOOM_BITS_PER_KEY: Final = 10
TARGET_FILE_BYTES: Final = 64 * MB
# Each time so many flushed buffers are merged into the table, much of it is written anew: with 4 buffers of 8 MB the
# merging cost more than everything else at a million users.
LEVEL_ZERO_FILES: Final = 8
# RocksDB slows writers down in a sleep that holds Python's lock. A backlog of merging is the lesser evil.
LEVEL_ZERO_FILES_SLOW: Final = 48
LEVEL_ZERO_FILES_STOP: Final = 64

READ_UNTIL_KEY: Final = b"riverrun\0read-until"  # the id of a user has no NUL in it


@dataclass(frozen=True, slots=True)
class PartitionDatabase:
    """Opens partitions for Faust's store, in the place of its `RocksDBOptions`.

    Attributes:
        write_buffer_bytes: a partition fills up to `WRITE_BUFFERS` of them before writers wait for the disk.
        now_ms: the time, ms since 1970.
    """

    write_buffer_bytes: int
    now_ms: Callable[[], int]

    def open(self, path: Path, *, read_only: bool = False) -> Any:
        """Open or make the partition in this folder; it is flushed and closed when the last reference goes.

        One that is out of date is removed first.

        Raises:
            Exception: it cannot be opened; "lock" is in its words when another process has it open.
        """
        database = self._open(path, read_only=read_only)
        if read_only:
            return database
        if is_outdated(database, self.now_ms()):
            log.warning("%s was not read on for too long: it is restored from the beginning", path)
            database.close()
            remove_folder(path)
            database = self._open(path, read_only=False)
        if database.get(READ_UNTIL_KEY) is None:
            note_read_until(database, self.now_ms())  # it is empty: all that there is will be read into it
        return database

    def _open(self, path: Path, *, read_only: bool) -> Any:
        access = rocksdict.AccessType.read_only() if read_only else rocksdict.AccessType.read_write()
        database = rocksdict.Rdict(str(path), self._options(), access_type=access)
        # For whoever writes, Faust included: in one memtable nothing can be lost but its end.
        writing = rocksdict.WriteOptions()
        writing.disable_wal = True  # type: ignore[method-assign, assignment]  # the stub calls this property a method
        database.set_write_options(writing)
        return database

    def _options(self) -> rocksdict.Options:
        options = rocksdict.Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_max_open_files(-1)  # about 16 a gigabyte, held open: no look-up before each read
        options.set_write_buffer_size(self.write_buffer_bytes)
        options.set_max_write_buffer_number(WRITE_BUFFERS)
        options.set_target_file_size_base(TARGET_FILE_BYTES)
        options.set_level_zero_file_num_compaction_trigger(LEVEL_ZERO_FILES)
        options.set_level_zero_slowdown_writes_trigger(LEVEL_ZERO_FILES_SLOW)
        options.set_level_zero_stop_writes_trigger(LEVEL_ZERO_FILES_STOP)
        options.set_compression_type(rocksdict.DBCompressionType.none())
        blocks = rocksdict.BlockBasedOptions()
        blocks.disable_cache()
        blocks.set_bloom_filter(BLOOM_BITS_PER_KEY, block_based=False)
        options.set_block_based_table_factory(blocks)
        return options


def note_read_until(database: Any, now_ms: int) -> None:
    """Everything that lay in the changelog at that time is in this partition."""
    database.put(READ_UNTIL_KEY, b"%d" % now_ms)


def is_outdated(database: Any, now_ms: int) -> bool:
    """Whether tombstones may be gone that this partition has not seen; also where nothing is noted but rows."""
    noted = database.get(READ_UNTIL_KEY)
    if noted is None:
        return any(True for _ in database.keys())  # noqa: SIM118  # no dict
    return now_ms - int(noted) > MAX_UNREAD_MS


def outdated_error(partitions: Sequence[int]) -> StateError:
    """These partitions are open and out of date: only the next process opens them anew."""
    return StateError(
        f"Partitions {partitions} were not read on for {MAX_UNREAD_MS // 3_600_000} hours: deletions may be missing.",
        hint="Start this worker again: it restores them from the beginning.",
    )
