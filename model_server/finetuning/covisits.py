"""Which items people took close together more often than by chance: the pairs that the encoder learns from."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from app.data.interactions import Interactions
from model_server.training.chunks import histories_of
from model_server.training.close_pairs import close_pairs

_HEADS: Final = 0.5  # an item with a hundred times the events is drawn ten times as often


@dataclass(frozen=True, slots=True, eq=False)
class CoVisits:
    """Who goes with whom, and how surely.

    Args:
        likeness: (M, M) symmetric: c_ij / sqrt(n_i n_j) of pairs that are more frequent than by chance.
        chances: (M,) of being drawn as the first of a pair; they add up to 1 or are all 0.
    """

    likeness: sparse.csr_array
    chances: NDArray[np.float64]

    def draw(self, count: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """`count` firsts and their seconds, drawn by likeness."""
        firsts = rng.choice(len(self.chances), size=count, p=self.chances)
        sums = np.concatenate([[0.0], np.cumsum(self.likeness.data)])
        begin, end = self.likeness.indptr[firsts], self.likeness.indptr[firsts + 1]
        aims = sums[begin] + rng.random(count) * (sums[end] - sums[begin])
        places = np.clip(np.searchsorted(sums, aims, side="right") - 1, begin, end - 1)
        return firsts, self.likeness.indices[places].astype(np.int64)


def count_covisits(log: Interactions) -> CoVisits:
    """Those of this log; a pair counts 1/k when k steps lie between its two, up to ten."""
    items = len(log.item_ids)
    pairs = close_pairs(histories_of(log), items, backward=1.0)
    counts, of_item = pairs.counts.tocoo(), pairs.sums
    expected = of_item[counts.row] * of_item[counts.col] / max(float(of_item.sum()), 1e-9)
    often = counts.data > expected
    rows, columns, seen = counts.row[often], counts.col[often], counts.data[often]
    values = seen / np.sqrt(of_item[rows] * of_item[columns])
    likeness = sparse.csr_array((values, (rows, columns)), shape=(items, items))
    events = np.bincount(log.items, minlength=items)
    chances = np.where(np.diff(likeness.indptr) > 0, events**_HEADS, 0.0)
    return CoVisits(likeness, chances / max(float(chances.sum()), 1e-9))
