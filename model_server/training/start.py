"""Where the item IDs start when there is little data: from what was done close together, instead of from noise.

The SVD of the positive pointwise mutual information of co-occurrence (Levy and Goldberg, 2014). On sparse shop
data it is worth as much as the choice of the loss; on dense data training forgets it.
"""

from typing import Final

import numpy as np
import torch
from torch import Tensor

from model_server.training.chunks import Histories

_WINDOW: Final = 10
_POWER_ITERATIONS: Final = 4
_SPARE: Final = 8  # directions beyond those wanted, which the randomised SVD needs to be accurate
_SCALE: Final = 0.1  # standard deviation: the network's own start is smaller, but these mean something


def cooccurrence_start(histories: Histories, items: int, dimension: int) -> Tensor:
    """(items, dimension) ID embeddings: items that follow each other closely lie close. Draws from torch's generator.

    Zeros where nobody did two things.
    """
    information = _mutual_information(histories, items)
    start = torch.zeros(items, dimension)
    if information._nnz() == 0:  # noqa: SLF001 - torch's own name for the number of entries
        return start
    wanted = min(dimension, items)
    left, strengths, _ = torch.svd_lowrank(information, q=min(items, wanted + _SPARE), niter=_POWER_ITERATIONS)
    start[:, :wanted] = left[:, :wanted] * strengths[:wanted].sqrt()
    return start * (_SCALE / start.std().clamp(min=1e-9))


def _mutual_information(histories: Histories, items: int) -> Tensor:
    """(items, items) sparse: log of how much more often than by chance, where it is more often."""
    counts = _close_pairs(histories, items)
    row, column = counts.indices()
    weights = counts.values()
    of_item = torch.zeros(items, dtype=weights.dtype).index_add_(0, row, weights)
    information = (weights * weights.sum() / (of_item[row] * of_item[column])).log().clamp(min=0)
    return torch.sparse_coo_tensor(
        counts.indices(), information.float(), counts.shape, check_invariants=False
    ).coalesce()


def _close_pairs(histories: Histories, items: int) -> Tensor:
    """(items, items) sparse, symmetric: 1/k for two items k steps apart in one history, k <= 10."""
    users = np.repeat(np.arange(len(histories.lengths)), histories.lengths)
    pairs: list[np.ndarray[tuple[int, int], np.dtype[np.int64]]] = []
    weights: list[np.ndarray[tuple[int], np.dtype[np.float64]]] = []
    for distance in range(1, min(_WINDOW, len(users) - 1) + 1):
        same = (users[:-distance] == users[distance:]) & (histories.items[:-distance] != histories.items[distance:])
        earlier, later = histories.items[:-distance][same], histories.items[distance:][same]
        pairs += [np.stack([earlier, later]), np.stack([later, earlier])]
        weights.append(np.full(2 * len(earlier), 1 / distance))
    if not pairs:
        return torch.sparse_coo_tensor(torch.zeros(2, 0, dtype=torch.int64), torch.zeros(0), (items, items)).coalesce()
    indices, values = torch.from_numpy(np.concatenate(pairs, axis=1)), torch.from_numpy(np.concatenate(weights))
    return torch.sparse_coo_tensor(indices, values, (items, items), check_invariants=False).coalesce()
