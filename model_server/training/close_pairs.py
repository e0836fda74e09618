"""Which items were done close together, counted: of every item those that it was closest to most.

Memory is bounded by what is kept, not by the data: all pairs of ten million events would be seven gigabytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from model_server.training.chunks import Histories

_WINDOW: Final = 10
_MOST_PAIRS: Final = 20_000_000  # 12 bytes each
_LEAST_OF_AN_ITEM: Final = 50
_BLOCK_EVENTS: Final = 500_000


@dataclass(frozen=True, slots=True, eq=False)
class ClosePairs:
    """See `close_pairs`.

    Args:
        counts: (N, N) of every row the strongest.
        sums: (N,) of every row, with those that were not kept.
    """

    counts: sparse.csr_array
    sums: NDArray[np.float64]


def close_pairs(
    histories: Histories, items: int, backward: float, *, most: int = _MOST_PAIRS, at_once: int = _BLOCK_EVENTS
) -> ClosePairs:
    """1/k for an item and one k steps after it in the same history, k <= 10; no item with itself.

    Args:
        histories: of whom.
        items: how many there are.
        backward: what the later item gets for the earlier one, as a share of that; 1 makes the counts symmetric.
        most: where there may be more pairs, so many are kept, the same number of every item, but 50 of each at least.
        at_once: the rows of about so many events are counted together.
    """
    all_fit = 2 * _WINDOW * len(histories.items) <= most
    of_each = items if all_fit else max(most // items, _LEAST_OF_AN_ITEM)
    blocks = [_strongest(block, of_each) for block in _blocks(histories, items, backward, at_once)]
    return ClosePairs(
        counts=sparse.vstack([block.counts for block in blocks], format="csr"),
        sums=np.concatenate([block.sums for block in blocks]),
    )


def _blocks(histories: Histories, items: int, backward: float, at_once: int) -> Iterator[sparse.csr_array]:
    """Whole rows of one item after the other, so many at a time that about `at_once` events are theirs."""
    owners = np.repeat(np.arange(len(histories.lengths), dtype=np.int32), histories.lengths)
    events = np.argsort(histories.items, kind="stable")
    starts = np.concatenate(([0], np.cumsum(np.bincount(histories.items, minlength=items))))
    cuts = np.searchsorted(starts, np.arange(0, max(len(events), 1), at_once))
    for first, last in pairwise([*np.unique(cuts).tolist(), items]):
        chosen = events[starts[first] : starts[last]]
        counts = sparse.csr_array((last - first, items))
        for distance in range(1, _WINDOW + 1):
            for step, share in ((distance, 1.0), (-distance, backward)):
                here, there = _near(histories, owners, chosen, step)
                pairs = histories.items[here] - first, histories.items[there]
                near = sparse.csr_array((np.full(len(here), 1 / distance), pairs), shape=counts.shape)
                counts = sparse.csr_array(counts + share * near)
        yield counts


def _near(
    histories: Histories, owners: NDArray[np.int32], events: NDArray[np.int64], step: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Those of the events that have another item so many steps away in their history, and where it is."""
    there = events + step
    inside = (there >= 0) & (there < len(owners))
    here, there = events[inside], there[inside]
    near = (owners[here] == owners[there]) & (histories.items[here] != histories.items[there])
    return here[near], there[near]


def _strongest(counts: sparse.csr_array, of_each: int) -> ClosePairs:
    counts.eliminate_zeros()
    sums = np.asarray(counts.sum(axis=1), np.float64).ravel()
    lengths = np.diff(counts.indptr)
    if (lengths <= of_each).all():
        return ClosePairs(counts, sums)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    order = np.lexsort((-counts.data, rows))
    kept = np.sort(order[np.arange(len(order)) - counts.indptr[rows] < of_each])
    starts = np.concatenate(([0], np.cumsum(np.minimum(lengths, of_each))))
    return ClosePairs(sparse.csr_array((counts.data[kept], counts.indices[kept], starts), shape=counts.shape), sums)
