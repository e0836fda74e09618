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
_BLOCK: Final = 1_000_000  # pairs at once
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
    pairs = close_pairs(histories, items, backward=1.0)
    counts, of_item, total = pairs.counts, pairs.sums, pairs.sums.sum()
    rows = np.repeat(np.arange(items), np.diff(counts.indptr))
    information = np.empty(counts.nnz, np.float32)
    for begin in range(0, counts.nnz, _BLOCK):
        part = slice(begin, begin + _BLOCK)
        ratio = counts.data[part] * total / (of_item[rows[part]] * of_item[counts.indices[part]])
        information[part] = np.maximum(np.log(ratio), 0.0)
    indices = torch.from_numpy(np.stack([rows, counts.indices]))
    values = torch.from_numpy(information)
    size = (items, items)
    return torch.sparse_coo_tensor(indices, values, size, check_invariants=False, is_coalesced=True)
