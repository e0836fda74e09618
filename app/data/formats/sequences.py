"""Sequences without times, as papers ship them: `user item item ...` or `user item` a line, oldest first.

There are no times in such files, so they get some: the n-th event of every user happens n seconds after the start of
2000. A user's order is exact; between users nothing is known, and their events are interleaved by position.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from app.data.columns import Column, ids
from app.data.formats.raw import RawLog, batch, nothing_known
from app.data.formats.text import Layout, delimited, line_number, no_line
from app.errors import DataError
from app.interests.state import Kind

START_MS: Final = 946_684_800_000
STEP_MS: Final = 1_000
# A control character that no file has: every line is one cell.
_LINES: Final = Layout(wanted=("line",), names=("line",), delimiter="\x01")
_PAIR: Final = 2


def open_sequences(path: Path) -> RawLog:
    """`user item item ...`, any whitespace; empty lines and users without items are left out."""
    return RawLog(files=(path,), batches=_sequences(path), catalog=nothing_known, has_times=False)


def open_pairs(path: Path) -> RawLog:
    """`user item` a line; the lines of a user are in time order, those of others may lie between them."""
    return RawLog(files=(path,), batches=_pairs(path), catalog=nothing_known, has_times=False)


def _sequences(path: Path) -> Iterator[pa.RecordBatch]:
    everybody: list[pa.Array] = []
    before = 0
    for words in _words(path):
        starts, lengths = words.offsets.to_numpy()[:-1], pc.list_value_length(words).to_numpy()
        tokens = words.flatten()
        starts = starts - starts[:1]
        everybody.append(tokens.take(starts))
        line_of_token = np.repeat(np.arange(len(starts)), lengths)
        positions = np.arange(len(tokens)) - starts[line_of_token]
        is_item = positions > 0
        lines = line_of_token[is_item]
        users, items = tokens.take(starts[lines]), tokens.filter(pa.array(is_item))
        yield _batch(users, items, positions[is_item] - 1, _Lines(path, before + lines))
        before += len(words)
    _check_unique(path, everybody)


def _pairs(path: Path) -> Iterator[pa.RecordBatch]:
    seen: dict[str, int] = {}
    before = 0
    for words in _words(path):
        odd = np.flatnonzero(pc.list_value_length(words).to_numpy() != _PAIR)
        if len(odd):
            row = int(odd[0])
            raise no_line(path, line_number(path, before + row), " ".join(words[row].as_py()), "a user and an item")
        users = words.flatten().take(np.arange(len(words)) * _PAIR)
        positions = np.empty(len(users), dtype=np.int64)
        for row, user in enumerate(users.to_pylist()):
            positions[row] = seen[user] = seen.get(user, -1) + 1
        items = words.flatten().take(np.arange(len(words)) * _PAIR + 1)
        yield _batch(users, items, positions, _Lines(path, before + np.arange(len(words))))
        before += len(words)


def _words(path: Path) -> Iterator[pa.ListArray]:
    """Batches of lines as lists of their words; a line that is not empty but blank is an empty list of words."""
    for columns in delimited(path, _LINES):
        lines = pc.ascii_trim_whitespace(columns["line"].values)
        yield pc.ascii_split_whitespace(lines.filter(pc.not_equal(lines, "")))


@dataclass(frozen=True, slots=True)
class _Lines:
    """Says on which line an event stands; `rows` are the events' lines, those that are empty not counted."""

    path: Path
    rows: NDArray[np.int64]

    def __call__(self, row: int) -> str:
        return f"line {line_number(self.path, int(self.rows[row]))}"


def _batch(users: pa.Array, items: pa.Array, positions: NDArray[np.int64], where: _Lines) -> pa.RecordBatch:
    return batch(
        users=ids(Column(str(where.path), "user", users, where)),
        items=ids(Column(str(where.path), "item", items, where)),
        ts_ms=START_MS + STEP_MS * positions.astype(np.int64),
        kinds=np.full(len(items), Kind.VIEW, dtype=np.int8),
    )


def _check_unique(path: Path, everybody: list[pa.Array]) -> None:
    users = pa.chunked_array(everybody, pa.string()).combine_chunks()
    if len(pc.unique(users)) == len(users):
        return
    first: dict[str, int] = {}
    for row, user in enumerate(users.to_pylist()):
        if user in first:
            lines = line_number(path, first[user]), line_number(path, row)
            raise DataError(
                f"{path} line {lines[1]}: user {user!r} stands on line {lines[0]} already.",
                hint="Give every user one line; if a line is one user and one item, say --format pairs.",
            )
        first[user] = row
