"""Where the item IDs start when there is little data: from what was done close together, instead of from noise.

The SVD of the positive pointwise mutual information of co-occurrence (Levy and Goldberg, 2014). On sparse shop
data it is worth as much as the choice of the loss; on dense data training forgets it.
"""

from typing import Final

import numpy as np
import torch
from torch import Tensor

from model_server.training.chunks import Histories
from model_server.training.close_pairs import close_pairs

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
    counts = close_pairs(histories, items, backward=1.0).tocoo()
    of_item = np.bincount(counts.row, weights=counts.data, minlength=items)
    ratio = counts.data * counts.data.sum() / (of_item[counts.row] * of_item[counts.col])
    information = torch.from_numpy(np.maximum(np.log(ratio), 0.0)).float()
    indices = torch.from_numpy(np.stack([counts.row, counts.col]).astype(np.int64))
    return torch.sparse_coo_tensor(indices, information, (items, items), check_invariants=False).coalesce()
