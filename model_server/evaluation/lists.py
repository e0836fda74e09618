"""What lists are like, apart from being right: coverage, exposure, novelty, diversity, calibration.

Lists are (C, 10) item indices, best first, -1 where a list is shorter. A list without items, or without any item of a
category where categories are needed, is left out of the mean.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

# Steck (2018): a little of the user's own distribution keeps the divergence finite.
_ALPHA: Final = 0.01


def exposure(lists: NDArray[np.int32], items: int) -> NDArray[np.int64]:
    """(items,) how often each item was shown."""
    return np.bincount(lists[lists >= 0], minlength=items)


def coverage(shown: NDArray[np.int64]) -> float:
    """The share of the catalog that was shown at all. `shown`: as `exposure`."""
    return float((shown > 0).mean()) if len(shown) else 0.0


def gini(shown: NDArray[np.int64]) -> float:
    """How unequally the items are shown: 0 all alike, towards 1 all places to one item of the catalog."""
    count, total = len(shown), int(shown.sum())
    if not total:
        return 0.0
    weights = 2 * np.arange(1, count + 1) - count - 1
    return float((weights * np.sort(shown)).sum() / (count * total))


def novelty(lists: NDArray[np.int32], information: NDArray[np.float64]) -> NDArray[np.float64]:
    """(C,) mean self-information of what was shown, bits; NaN for an empty list."""
    there = lists >= 0
    bits = np.where(there, information[np.maximum(lists, 0)], 0.0).sum(axis=1)
    return _ratio(bits, there.sum(axis=1))


def distance(lists: NDArray[np.int32], categories: csr_matrix) -> NDArray[np.float64]:
    """(C,) intra-list distance: mean of 1 - cosine of the category vectors over pairs (Ziegler et al., 2005).

    Items without a category are left out; NaN for a list with fewer than two others.
    """
    lengths = np.sqrt(categories.multiply(categories).sum(axis=1)).A1
    unit = categories.multiply(1 / np.maximum(lengths, 1e-12)[:, None]).tocsr()
    there = (lists >= 0) & (lengths[np.maximum(lists, 0)] > 0)
    counts = there.sum(axis=1)
    total = _membership(lists, there, len(lengths)) @ unit
    # The sum of all cosines, an item's with itself included, is the squared length of the summed vectors.
    cosines = total.multiply(total).sum(axis=1).A1 - counts
    return 1 - _ratio(cosines, counts * (counts - 1))


def miscalibration(histories: csr_matrix, lists: NDArray[np.int32], categories: csr_matrix) -> NDArray[np.float64]:
    """(C,) Kullback-Leibler divergence, in nats, of a list's categories from those of the history (Steck, 2018).

    0: the list has the history's mixture. NaN where either has no category at all.

    Args:
        histories: (C, N) sparse, how often the case's user had each item.
        lists: see the module.
        categories: (N, G) as in `ItemFacts`.
    """
    taste, taste_total = _mixture(histories @ categories)
    offered, offered_total = _mixture(_membership(lists, lists >= 0, categories.shape[0]) @ categories)
    mixed = (1 - _ALPHA) * offered + _ALPHA * taste  # has something wherever taste has
    wanted = taste.tocoo()
    ratio = np.log(wanted.data / np.asarray(mixed[wanted.row, wanted.col]).ravel())
    divergence = np.bincount(wanted.row, weights=wanted.data * ratio, minlength=len(lists))
    return np.where((taste_total > 0) & (offered_total > 0), divergence, np.nan)


def mean_where_known(values: NDArray[np.float64]) -> float | None:
    """The mean without the NaNs; None where nothing else is there."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


def _membership(lists: NDArray[np.int32], there: NDArray[np.bool_], items: int) -> csr_matrix:
    rows = np.nonzero(there)[0]
    return csr_matrix((np.ones(len(rows)), (rows, lists[there])), shape=(len(lists), items))


def _mixture(weights: csr_matrix) -> tuple[csr_matrix, NDArray[np.float64]]:
    total: NDArray[np.float64] = weights.sum(axis=1).A1
    return weights.multiply(1 / np.where(total > 0, total, 1.0)[:, None]).tocsr(), total


def _ratio(numerator: NDArray[np.float64], denominator: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.where(denominator > 0, numerator / np.maximum(denominator, 1), np.nan)
