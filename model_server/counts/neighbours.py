"""Neighbour tables: for each item the few items that speak for it, and how a history reads them. Pure.

Whatever learned the weights (model_server.counts.item_knn, .ease), a history's scores are a weighted sum of a few rows.
This module does not know where the weights come from.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse


@dataclass(frozen=True, slots=True, eq=False)
class NeighbourTable:
    """N rows of at most K neighbours, one after the other (compressed sparse rows).

    Row a is `neighbours[starts[a] : starts[a + 1]]`, in the order of their indices, and `weights` beside it. An item
    about which nothing is known has an empty row.

    Args:
        starts: (N + 1,) int64.
        neighbours: (E,) int32.
        weights: (E,) float32, not 0; negative where an item speaks against another.
    """

    starts: NDArray[np.int64]
    neighbours: NDArray[np.int32]
    weights: NDArray[np.float32]

    @classmethod
    def empty(cls, items: int) -> "NeighbourTable":
        """Nothing speaks for anything."""
        return cls(np.zeros(items + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32))

    @property
    def items(self) -> int:
        """N, the size of the catalog."""
        return len(self.starts) - 1

    def matrix(self) -> sparse.csr_array:
        """(N, N), sharing the table's memory."""
        return sparse.csr_array((self.weights, self.neighbours, self.starts), shape=(self.items, self.items))


@dataclass(frozen=True, slots=True)
class Reading:
    """How a history is read: its newest `length` interactions, the m-th newest (from 0) weighted `recency ** m`."""

    recency: float
    length: int


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """The items that a history speaks of, by rising index, and what it says: (C,) int32 and (C,) float32."""

    items: NDArray[np.int32]
    scores: NDArray[np.float32]


def score_one(table: NeighbourTable, history: NDArray[np.int32], reading: Reading) -> Scored:
    """One user's scores, in time proportional to N + the entries read; sorting these instead is slower below 1M items.

    Args:
        table: see there.
        history: (L,) items, oldest first; an item that occurs twice counts twice.
        reading: see there.
    """
    newest = history[: -reading.length - 1 : -1]
    starts = table.starts[newest]
    sizes = table.starts[newest + 1] - starts
    # All the rows' places in the table: where each row starts, less where it starts in the result, plus 0, 1, 2, ...
    shifts = np.repeat(starts - (np.cumsum(sizes) - sizes), sizes)
    places = shifts + np.arange(len(shifts))
    worth = table.weights[places] * np.repeat(_powers(len(newest), reading), sizes)
    scores = np.bincount(table.neighbours[places], weights=worth, minlength=table.items)
    spoken_of = np.flatnonzero(scores)
    return Scored(spoken_of.astype(np.int32), scores[spoken_of].astype(np.float32))


def score_many(table: NeighbourTable, histories: Sequence[NDArray[np.int32]], reading: Reading) -> sparse.csr_array:
    """(B, N) of many users at once: the same as `score_one` of each, within float error."""
    scores: sparse.csr_array = history_matrix(histories, table.items, reading) @ table.matrix()
    return scores


def history_matrix(histories: Sequence[NDArray[np.int32]], items: int, reading: Reading) -> sparse.csr_array:
    """(B, N) how much of each item a history is, read as `Reading` says; float32, items in no order within a row."""
    newest = [history[: -reading.length - 1 : -1] for history in histories]
    sizes = [len(read) for read in newest]
    starts = np.concatenate(([0], np.cumsum(sizes, dtype=np.int64)))
    columns = np.concatenate([*newest, np.zeros(0, np.int32)]).astype(np.int32)
    powers = _powers(max(sizes, default=0), reading)
    weights = np.concatenate([powers[:size] for size in sizes] + [np.zeros(0, np.float32)])
    return sparse.csr_array((weights, columns, starts), shape=(len(histories), items))


def strongest(rows: sparse.csr_array, count: int) -> sparse.csr_array:
    """The `count` largest entries of each row that are not 0, in the order of their columns; equal ones by column."""
    rows = rows.tocsr()
    rows.sum_duplicates()
    rows.eliminate_zeros()
    kept = np.ones(len(rows.data), dtype=np.bool_)
    for row in np.flatnonzero(np.diff(rows.indptr) > count):
        entries = slice(rows.indptr[row], rows.indptr[row + 1])
        kept[entries] = _largest(rows.data[entries], count)
    starts = np.concatenate(([0], np.cumsum(np.minimum(np.diff(rows.indptr), count))))
    return sparse.csr_array((rows.data[kept], rows.indices[kept], starts), shape=rows.shape)


def table_of(rows: sparse.csr_array) -> NeighbourTable:
    """The (N, N) rows as a table, with its types."""
    return NeighbourTable(
        starts=rows.indptr.astype(np.int64),
        neighbours=rows.indices.astype(np.int32),
        weights=rows.data.astype(np.float32),
    )


def _largest(values: NDArray[np.float32], count: int) -> NDArray[np.bool_]:
    """Which of the values are the `count` largest, of equal ones the first; there are more values than that."""
    least = np.partition(values, len(values) - count)[len(values) - count]
    largest: NDArray[np.bool_] = values > least
    largest[np.flatnonzero(values == least)[: count - np.count_nonzero(largest)]] = True
    return largest


def _powers(count: int, reading: Reading) -> NDArray[np.float32]:
    return np.power(np.float32(reading.recency), np.arange(count, dtype=np.float32))
