"""Item-kNN: items that the same people had, by the cosine of their columns with shrinkage.

Sarwar et al., "Item-based collaborative filtering recommendation algorithms", WWW 2001; shrinkage as in Bell and Koren,
"Improved neighborhood-based collaborative filtering", KDD Cup 2007.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import sparse

from model_server.counts.neighbours import NeighbourTable, Reading, strongest, table_of

# Rows of co-occurrences in memory at once; full rows of 100,000 items would take 1 GB.
_BLOCK: Final = 256

READING: Final = Reading(recency=0.6, length=20)
"""What was best on validation (MovieLens-100K)."""


@dataclass(frozen=True, slots=True)
class KnnOptions:
    """How neighbours are counted.

    Args:
        neighbours: K, kept of each item.
        shrinkage: added to the denominator, so that two items seen together once are not the closest there are.
    """

    neighbours: int = 100
    shrinkage: float = 5.0


def item_knn(rows: sparse.csr_array, options: KnnOptions) -> NeighbourTable:
    """The table in which a -> b weighs n_ab / (sqrt(n_a n_b) + shrinkage), n counting rows.

    Args:
        rows: (rows, N) ones, see model_server.counts.matrices.
        options: see there.
    """
    rows = rows.astype(np.float32)
    columns = rows.T.tocsr()
    lengths = np.sqrt(np.asarray(rows.sum(axis=0)).ravel())
    blocks = []
    for start in range(0, rows.shape[1], _BLOCK):
        together = (columns[start : start + _BLOCK] @ rows).tocoo()
        items = together.row + start
        weights = together.data / (lengths[items] * lengths[together.col] + options.shrinkage)
        weights[items == together.col] = 0.0
        block = sparse.csr_array((weights, (together.row, together.col)), shape=together.shape)
        blocks.append(strongest(block, options.neighbours))
    return table_of(sparse.vstack(blocks, format="csr"))
