"""EASE: the linear model that predicts a row from its own other items, in closed form.

Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019: B = I - P diag(1 / diag(P)), P the inverse of
X'X + lambda I.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import lapack

from model_server.counts.neighbours import NeighbourTable, Reading, strongest, table_of

READING: Final = Reading(recency=0.9, length=50)
"""What was best on validation (MovieLens-100K)."""

_BLOCK: Final = 512


@dataclass(frozen=True, slots=True)
class EaseOptions:
    """How the weights are learned.

    Args:
        regularisation: lambda, in rows: a weight needs about so many of them to become large.
        neighbours: K, the strongest kept of each item.
        max_items: the inverse is dense: 6,000 items take 500 MB and about 10 s on one core, twice as many items four
            times the memory and eight times the time. Of a larger catalog the `max_items` most frequent items are
            learned and the others have empty rows: they speak for nothing and nothing speaks for them.
    """

    regularisation: float = 500.0
    neighbours: int = 100
    max_items: int = 6_000


def ease(rows: sparse.csr_array, options: EaseOptions) -> NeighbourTable:
    """The table in which a -> b weighs B_ab; only weights above 0 are kept.

    Args:
        rows: (rows, N) ones, see model_server.counts.matrices.
        options: see there.
    """
    items = rows.shape[1]
    counts = np.asarray(rows.sum(axis=0)).ravel()
    frequent = np.sort(np.argsort(-counts, kind="stable")[: options.max_items])
    frequent = frequent[counts[frequent] > 0]
    weights = sparse.coo_array(_weights(rows[:, frequent], options))
    spread = sparse.csr_array((weights.data, (frequent[weights.row], frequent[weights.col])), shape=(items, items))
    return table_of(spread)


def _weights(rows: sparse.csr_array, options: EaseOptions) -> sparse.csr_array:
    """(M, M) the strongest positive weights of each row."""
    size = rows.shape[1]
    if not size:
        return sparse.csr_array((0, 0), dtype=np.float32)
    inverse = _inverse(_gram(rows), options.regularisation)
    inverse /= -np.diag(inverse).copy()
    np.fill_diagonal(inverse, 0.0)
    blocks = []
    for start in range(0, size, _BLOCK):
        block = np.maximum(inverse[start : start + _BLOCK], 0.0)
        blocks.append(strongest(sparse.csr_array(block), options.neighbours))
    return sparse.vstack(blocks, format="csr")


def _gram(rows: sparse.csr_array) -> NDArray[np.float32]:
    """X'X, a block at a time: where it is nearly full, its sparse form takes several times as much."""
    columns = rows.T.tocsr()
    size = rows.shape[1]
    gram = np.empty((size, size), dtype=np.float32)
    for start in range(0, size, _BLOCK):
        gram[start : start + _BLOCK] = (columns[start : start + _BLOCK] @ rows).toarray()
    return gram


def _inverse(gram: NDArray[np.float32], regularisation: float) -> NDArray[np.float32]:
    """Of gram + regularisation I; `gram` is overwritten."""
    gram[np.diag_indices_from(gram)] += np.float32(regularisation)
    factor, failed = lapack.spotrf(gram.T, lower=True, overwrite_a=True)
    inverse, singular = lapack.spotri(factor, lower=True, overwrite_c=True)
    if failed or singular:
        raise ValueError(f"X'X + {regularisation} I has no inverse in float32: raise the regularisation")
    # LAPACK leaves zeros above the diagonal.
    symmetric: NDArray[np.float32] = inverse + np.tril(inverse, -1).T
    return symmetric
