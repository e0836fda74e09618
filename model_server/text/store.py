"""Embeddings on disk, by what was encoded and by which encoder; training and the live server share one file.

SQLite in write-ahead mode: any number of processes and threads read while one writes, and a process killed in
the middle of a write leaves the rows before it. It is a cache: deleting the file loses time, nothing else.
"""

import hashlib
import random
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.errors import DataError
from app.files import exclusive

_BUSY_TIMEOUT_S = 30.0
_SCHEMA = "CREATE TABLE IF NOT EXISTS embeddings (age INTEGER PRIMARY KEY, key BLOB UNIQUE, vector BLOB NOT NULL)"
_READ = "SELECT vector FROM embeddings WHERE key = ?"
_WRITE = "INSERT OR IGNORE INTO embeddings (key, vector) VALUES (?, ?)"
# Counting rows takes longer the more there are, so their number is kept in the file's header.
_COUNT, _COUNT_ALL, _SET_COUNT = "PRAGMA user_version", "SELECT count(*) FROM embeddings", "PRAGMA user_version = {:d}"
ENDS = "SELECT (SELECT min(age) FROM embeddings), (SELECT max(age) FROM embeddings)"  # both at once would be a scan
_TRIM = "DELETE FROM embeddings WHERE age IN (SELECT age FROM embeddings WHERE age >= ? ORDER BY age LIMIT ?)"


def text_key(fingerprint: str, text: str) -> bytes:
    """The key of one text under one encoder: sha256 of both."""
    return hashlib.sha256(f"{fingerprint}\0{text}".encode()).digest()


class EmbeddingStore:
    """Vectors by key, `max_rows` of them at most (384 floats: 1.6 KB a row).

    Whoever reads a catalogue does so in its order: if the oldest rows made room, one that is a little too large would
    find nothing of itself. So rows from a random place go.
    """

    def __init__(self, path: Path, max_rows: int = 2_000_000, seed: int | None = None) -> None:
        self._path = path
        self._max_rows = max_rows
        self._random = random.Random(seed)  # noqa: S311  # no secret

    def read(self, keys: Sequence[bytes]) -> dict[bytes, NDArray[np.float32]]:
        """The vectors there are for these keys.

        Raises:
            DataError: the file cannot be opened or is damaged.
        """
        found: dict[bytes, NDArray[np.float32]] = {}
        with self._connection() as connection:
            for key in keys:
                row = connection.execute(_READ, (key,)).fetchone()
                if row is not None:
                    found[key] = np.frombuffer(row[0], dtype="<f4").astype(np.float32)
        return found

    def write(self, vectors: Mapping[bytes, NDArray[np.float32]]) -> None:
        """Keep these vectors, all or none of them; as many others go as there are beyond the bound.

        Raises:
            DataError: the file cannot be written.
        """
        rows = [(key, vector.astype("<f4").tobytes()) for key, vector in vectors.items()]
        with self._connection() as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            (held,) = connection.execute(_COUNT).fetchone()
            if not held:  # a new file, or one that an earlier riverrun made
                (held,) = connection.execute(_COUNT_ALL).fetchone()
            held += connection.executemany(_WRITE, rows).rowcount
            connection.execute(_SET_COUNT.format(held - self._make_room(connection, held - self._max_rows)))

    def _make_room(self, connection: sqlite3.Connection, rows: int) -> int:
        """Remove so many; returns how many."""
        removed = 0
        while removed < rows:
            first, last = connection.execute(ENDS).fetchone()
            removed += connection.execute(_TRIM, (self._random.randint(first, last), rows - removed)).rowcount
        return removed

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection for one operation, so that threads and forks share none."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, timeout=_BUSY_TIMEOUT_S)
            try:
                # One at a time: SQLite does not wait when two connections turn a new file to WAL, it gives up at once.
                with exclusive(self._path.with_name(f"{self._path.name}.lock")):
                    connection.execute("PRAGMA journal_mode=WAL")
                    connection.execute(_SCHEMA)
                connection.execute("PRAGMA synchronous=NORMAL")
                yield connection
            finally:
                connection.close()
        except (sqlite3.Error, OSError) as error:
            raise DataError(
                f"The text embedding cache {self._path} cannot be used: {error}.",
                hint="Free disk space or delete the file; it is filled again.",
            ) from error
