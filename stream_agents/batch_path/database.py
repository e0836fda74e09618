"""How a table partition lies in RocksDB. Measured; the numbers are in DECISIONS.md.

Every batch reads the rows of its users at random and writes each of them again. So what was just read is never asked
for in that form again, and a block cache would be filled for nothing: memory goes into write buffers, which hold the
newest rows, and the rest is the operating system's page cache. The changelog in Kafka is the write-ahead log; a second
one here would only cost time. After a crash the partition is what it was at its last flush, rows and changelog offset
alike, and the changelog is read from there.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import rocksdict

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


@dataclass(frozen=True, slots=True)
class PartitionDatabase:
    """Opens partitions for Faust's store, in the place of its `RocksDBOptions`.

    Attributes:
        write_buffer_bytes: a partition fills up to `WRITE_BUFFERS` of them before writers wait for the disk.
    """

    write_buffer_bytes: int

    def open(self, path: Path, *, read_only: bool = False) -> Any:
        """Open or make the partition in this folder; it is flushed and closed when the last reference goes.

        Raises:
            Exception: it cannot be opened; "lock" is in its words when another process has it open.
        """
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
