"""The newest value of every key of one topic, on the local disk, with the offsets up to which it was read.

The order of a batch, and what a crash between any two steps leaves:

    1  poll                    records of all partitions
    2  compare                 a value with a lower version than the kept one is dropped; a null value erases
    3  one write batch         rows and, per partition, the offset of the next record
    4  tell                    whoever waits for these keys

Killed before 3 is on the disk, the rows and their offsets are both as they were before: the records are read again.
The folder's name carries Kafka's id of the topic, so a topic made anew never meets the rows of the old one.
Knows no Kafka client.
"""

import logging
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import rocksdict

from app.gateway.database import open_database
from app.state_folder import MAX_UNREAD_MS, remove_folder

_HEAD: Final = struct.Struct(">qq")
_OFFSET: Final = struct.Struct(">q")
_ROW_PREFIX: Final = b"r"
_OFFSET_PREFIX: Final = b"o"
_NOTE_PREFIX: Final = b"n"
_READ_UNTIL: Final = "read-until"

logger = logging.getLogger(__name__)


class TopicRecord(Protocol):
    """A record as a Kafka client hands it over."""

    # ruff: noqa: D102  # the names are Kafka's
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def offset(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Row:
    """A kept value. `arrived_ts_ms`: when the gateway had it, ms since 1970."""

    version: int
    arrived_ts_ms: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Taken:
    """What a batch changed: the new row of each key, None where it was erased; and how much could not be read."""

    changed: Mapping[str, Row | None]
    stale: int
    unreadable: int


VersionOf = Callable[[bytes], int | None]
"""A value's version; None where the value is not what it should be."""


class Replica:
    """See the module.

    Args:
        folder: of this topic; made where there is none.
        write_buffer_mb: RocksDB's.
        version_of: the higher version wins, of equal ones the later.
        now_ms: the time, ms since 1970: what was not read for too long is read from the beginning.
    """

    def __init__(self, folder: Path, write_buffer_mb: int, version_of: VersionOf, now_ms: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._write_buffer_mb = write_buffer_mb
        self._version_of = version_of
        self._database: Any = open_database(folder, write_buffer_mb)
        self._flushing = threading.Lock()  # `flush` runs in a thread of its own; it must not meet a closed database
        self._closed = False
        if self.offsets() and now_ms - self._read_until_ms() > MAX_UNREAD_MS:
            logger.warning("What is kept in %s was not read on for too long: all is read again.", folder)
            self.start_over(now_ms)
        elif not self.offsets():
            self._note_read_until(now_ms)

    def offsets(self) -> dict[int, int]:
        """The next record to read, by partition; a partition never read is missing."""
        found: dict[int, int] = {}
        for key, value in self._database.items(from_key=_OFFSET_PREFIX):
            if not key.startswith(_OFFSET_PREFIX):
                break
            found[_OFFSET.unpack(key[len(_OFFSET_PREFIX) :])[0]] = _OFFSET.unpack(value)[0]
        return found

    def get(self, key: str) -> Row | None:
        """The kept row."""
        found = self._database.get(_ROW_PREFIX + key.encode())
        return None if found is None else _row(found)

    def any_row(self) -> Row | None:
        """Some row, where there is one."""
        for key, value in self._database.items(from_key=_ROW_PREFIX):
            return _row(value) if key.startswith(_ROW_PREFIX) else None
        return None

    def note(self, name: str) -> bytes | None:
        """What `take` wrote beside the rows under this name."""
        found: bytes | None = self._database.get(_NOTE_PREFIX + name.encode())
        return found

    def take(self, polled: Mapping[int, Sequence[TopicRecord]], now_ms: int) -> Taken:
        """Steps 2 and 3 for what a poll brought, by partition.

        Args:
            polled: records in log order.
            now_ms: the time, ms since 1970.
        """
        newest: dict[bytes, bytes | None] = {}
        stale = unreadable = 0
        for record in (record for records in polled.values() for record in records):
            if record.key is None:
                unreadable += 1
            elif record.value is None:
                newest[record.key] = None
            else:
                version = self._version_of(record.value)
                kept = self._kept_version(record.key, newest)
                if version is None:
                    unreadable += 1
                elif kept is not None and version < kept:
                    stale += 1
                else:
                    newest[record.key] = _HEAD.pack(version, now_ms) + record.value
        self._write(newest, {partition: records[-1].offset + 1 for partition, records in polled.items() if records})
        changed = {key.decode(errors="replace"): None if row is None else _row(row) for key, row in newest.items()}
        return Taken(changed, stale, unreadable)

    def write_note(self, name: str, value: bytes) -> None:
        """Keep a note in the order of the batches: after a crash it is never newer than the rows."""
        self._database.put(_NOTE_PREFIX + name.encode(), value)

    def flush(self, read_until_ms: int | None) -> None:
        """Bring everything to the disk; gives Python's lock up meanwhile.

        Args:
            read_until_ms: what lay in the topic then has been read; None: nobody knows. Ms since 1970.
        """
        with self._flushing:
            if self._closed:  # in between, the topic was made anew
                return
            if read_until_ms is not None:
                self._note_read_until(read_until_ms)
            self._database.flush()

    def start_over(self, now_ms: int) -> None:
        """Forget everything."""
        with self._flushing:
            self._database.close()
            remove_folder(self._folder)
            self._folder.mkdir()
            self._database = open_database(self._folder, self._write_buffer_mb)
        self._note_read_until(now_ms)

    def close(self) -> None:
        """Flush and close."""
        with self._flushing:
            self._closed = True
            self._database.close()

    def _note_read_until(self, now_ms: int) -> None:
        self.write_note(_READ_UNTIL, _OFFSET.pack(now_ms))

    def _read_until_ms(self) -> int:
        noted = self.note(_READ_UNTIL)
        return 0 if noted is None else int(_OFFSET.unpack(noted)[0])

    def _kept_version(self, key: bytes, newest: Mapping[bytes, bytes | None]) -> int | None:
        row = newest[key] if key in newest else self._database.get(_ROW_PREFIX + key)
        return None if row is None else int(_HEAD.unpack_from(row)[0])

    def _write(self, rows: Mapping[bytes, bytes | None], offsets: Mapping[int, int]) -> None:
        batch = rocksdict.WriteBatch(raw_mode=True)
        for key, row in rows.items():
            if row is None:
                batch.delete(_ROW_PREFIX + key)
            else:
                batch.put(_ROW_PREFIX + key, row)
        for partition, offset in offsets.items():
            batch.put(_OFFSET_PREFIX + _OFFSET.pack(partition), _OFFSET.pack(offset))
        self._database.write(batch)


def folder_of(state_dir: Path, role: str, topic_id: str) -> Path:
    """The folder of a topic's replica. Those of other topics that once had the role are removed.

    Args:
        state_dir: claimed.
        role: of the topic.
        topic_id: Kafka's id of it.
    """
    wanted = state_dir / f"{role}-{topic_id}"
    remove_all(state_dir, role, but=wanted)
    return wanted


def remove_all(state_dir: Path, role: str, but: Path | None = None) -> None:
    """Remove what was kept of topics that had this role, except one folder."""
    for folder in state_dir.glob(f"{role}-*"):
        if folder != but:
            remove_folder(folder)


def _row(found: bytes) -> Row:
    version, arrived_ts_ms = _HEAD.unpack_from(found)
    return Row(version, arrived_ts_ms, found[_HEAD.size :])
