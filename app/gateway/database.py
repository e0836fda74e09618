"""How what the gateway keeps lies in RocksDB: written as lists come, read at random by whoever asks.

No write-ahead log: Kafka is it. What is in memory when the process is killed is read from the topic again, because
rows and the offset up to which they were read lie in one write batch.
"""

from pathlib import Path
from typing import Any, Final

import rocksdict

from app.errors import StateError

MB: Final = 1024 * 1024
_BUFFERS: Final = 3
_BLOOM_BITS_PER_KEY: Final = 10
_LEVEL_ZERO_FILES_SLOW: Final = 48  # RocksDB slows writers down in a sleep that holds Python's lock
_LEVEL_ZERO_FILES_STOP: Final = 64


def open_database(path: Path, write_buffer_mb: int) -> Any:
    """Open or make it; flushed and closed by `close()`.

    Raises:
        StateError: it cannot be opened.
    """
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_write_buffer_size(write_buffer_mb * MB)
    options.set_max_write_buffer_number(_BUFFERS)
    options.set_level_zero_slowdown_writes_trigger(_LEVEL_ZERO_FILES_SLOW)
    options.set_level_zero_stop_writes_trigger(_LEVEL_ZERO_FILES_STOP)
    options.set_keep_log_file_num(1)
    blocks = rocksdict.BlockBasedOptions()
    blocks.disable_cache()  # the page cache serves as well, and gives way when memory is needed
    blocks.set_bloom_filter(_BLOOM_BITS_PER_KEY, block_based=False)
    options.set_block_based_table_factory(blocks)
    try:
        database = rocksdict.Rdict(str(path), options)
    except Exception as error:  # rocksdict has no narrower one
        raise StateError(
            f"What is kept in {path} cannot be opened: {error}.", hint="Remove the folder: it is read from Kafka again."
        ) from error
    writing = rocksdict.WriteOptions()
    writing.disable_wal = True  # type: ignore[method-assign, assignment]  # the stub calls this property a method
    database.set_write_options(writing)
    return database
