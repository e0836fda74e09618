"""A share of every target goes to what usually follows the newest item: counts teach the network.

Where a pair of items was seen three times, a hard target says that everything else is wrong. Label smoothing (Szegedy
et al., arXiv:1512.00567) gives a share to all items alike; here the neighbours get it that follow the item just read in
other histories, as in distillation (Hinton et al., arXiv:1503.02531) with counts as the teacher.
"""

from typing import Final

import numpy as np
import torch
from torch import Tensor

from model_server.training.chunks import Histories
from model_server.training.close_pairs import close_pairs

_NEIGHBOURS: Final = 10
_BACKWARD: Final = 0.5  # of what an item adds to those before it, against what it adds to those after it
_POPULARITY_POWER: Final = 0.25


class SoftTargets:
    """See the module.

    Args:
        neighbours: (N, N) sparse: of each item the share of its neighbours, in rows of sum 1; some rows are empty.
        share: how much of the target the neighbours get.
    """

    def __init__(self, neighbours: Tensor, share: float) -> None:
        self._neighbours = neighbours
        self._known = torch.sparse.sum(neighbours, dim=1).to_dense()  # 1 for an item that has neighbours
        self._share = share

    def correction(self, queries: Tensor, item_vectors: Tensor, targets: Tensor, newest: Tensor) -> Tensor:
        """What is added to the mean cross-entropy of the hard targets: it is linear in the target.

        Args:
            queries: (T, D) users as of T positions, divided by the temperature.
            item_vectors: (N, D).
            targets: (T,) int64, the items that came next.
            newest: (T,) int64, the items at these positions.
        """
        taught = torch.sparse.mm(self._neighbours, item_vectors)[newest]
        moved = (queries * (item_vectors[targets] - taught)).sum(dim=1)
        added: Tensor = self._share * (moved * self._known[newest]).mean()
        return added


def neighbours_of(histories: Histories, items: int) -> Tensor:
    """(items, items) sparse: of each item the ten that are co-visited with it most, as shares.

    The formula of `model_server.counts.covisitation`: 1 / distance within ten steps, half of it backwards, over the
    fourth root of how often the neighbour occurs.
    """
    counts = close_pairs(histories, items, _BACKWARD).counts
    occurrences = np.maximum(np.bincount(histories.items, minlength=items), 1)
    counts.data /= occurrences[counts.indices] ** _POPULARITY_POWER
    rows = np.repeat(np.arange(items), np.diff(counts.indptr))
    order = np.lexsort((-counts.data, rows))
    kept = order[np.arange(len(order)) - counts.indptr[rows] < _NEIGHBOURS]
    row, column, weights = rows[kept], counts.indices[kept], counts.data[kept]
    shares = weights / np.bincount(row, weights=weights, minlength=items)[row]
    indices = torch.from_numpy(np.stack([row, column]).astype(np.int64))
    made = torch.sparse_coo_tensor(indices, torch.from_numpy(shares).float(), (items, items), check_invariants=False)
    return made.coalesce()
