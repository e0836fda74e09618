"""Who had what, as sparse matrices: the rows from which neighbours are counted. Pure."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from app.data.interactions import Interactions

# Co-occurrences grow with the square of a row: nobody's row is longer than this, whatever a robot did.
MAX_ROW: Final = 1_000


def user_items(log: Interactions) -> sparse.csr_array:
    """(users, N) float32: 1 for each item among the newest 1,000 interactions of a user, however often it occurs."""
    return _ones(log.users.astype(np.int64), log)


def basket_items(log: Interactions) -> sparse.csr_array:
    """(baskets, N) float32: 1 for each item in it; where baskets are not known, see `baskets_of`."""
    return _ones(baskets_of(log), log)


def baskets_of(log: Interactions) -> NDArray[np.int64]:
    """(E,) a number for each interaction's basket; what a user did in one millisecond where baskets are not known."""
    if log.baskets is not None:
        _, known = np.unique(log.baskets, return_inverse=True)
        return known.astype(np.int64)
    order = np.lexsort((log.ts_ms, log.users))
    users, ts_ms = log.users[order], log.ts_ms[order]
    starts = np.ones(len(log), dtype=np.bool_)
    starts[1:] = (users[1:] != users[:-1]) | (ts_ms[1:] != ts_ms[:-1])
    baskets = np.empty(len(log), dtype=np.int64)
    baskets[order] = np.cumsum(starts) - 1
    return baskets


def _ones(rows: NDArray[np.int64], log: Interactions) -> sparse.csr_array:
    """The log in time order as rows of ones, rows by their number."""
    order = np.argsort(rows, kind="stable")
    counts = np.bincount(rows)
    ends = np.repeat(np.cumsum(counts), counts)
    kept = order[ends - np.arange(len(order)) <= MAX_ROW]
    shape = (len(counts), len(log.item_ids))
    matrix = sparse.csr_array((np.ones(len(kept), np.float32), (rows[kept], log.items[kept])), shape=shape)
    matrix.sum_duplicates()
    matrix.data[:] = 1.0
    return matrix
