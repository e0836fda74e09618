"""A catalogue of any size whose items lie among one another as those of a real one do.

Random vectors are all equally far from each other: every index looks bad on them, and nothing can be tuned. So each
further item is put between two real neighbours and then moved by the difference of two other neighbours: it follows
the real items' clusters and their local spread, in the ID and in the text embedding alike.
"""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from model_server.model.members import Network, each_of

_NEIGHBOURS: Final = 10
_ROWS_AT_ONCE: Final = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """(N, D) learned ID embeddings, members' one beside the other, and (N, T) text embeddings of the same items."""

    ids: Tensor
    texts: Tensor


@torch.inference_mode()
def near_real(network: Network, texts: Tensor, items: int, seed: int) -> Embeddings:
    """The first `items` of the real ones, and as many more as are missing.

    Args:
        network: a trained one.
        texts: (N, T) text embeddings of its items, by row.
        items: how many are wanted.
        seed: of the draws.
    """
    real = Embeddings(torch.cat([each.item_ids.weight for each in each_of(network)], dim=1), texts)
    vectors = network.item_vectors(torch.arange(len(texts)), texts)
    neighbours = (vectors @ vectors.T).topk(min(_NEIGHBOURS, len(texts) - 1) + 1, dim=1).indices[:, 1:]
    missing = max(0, items - len(texts))
    made = Embeddings(real.ids.new_empty(items, real.ids.shape[1]), texts.new_empty(items, texts.shape[1]))
    kept = items - missing
    made.ids[:kept], made.texts[:kept] = real.ids[:kept], real.texts[:kept]
    rng = torch.Generator().manual_seed(seed)
    for start in range(kept, items, _ROWS_AT_ONCE):
        end = min(start + _ROWS_AT_ONCE, items)
        between, moved = _pairs(neighbours, end - start, rng), _pairs(neighbours, end - start, rng)
        share, far = torch.rand(2, end - start, 1, generator=rng)
        for source, target in ((real.ids, made.ids), (real.texts, made.texts)):
            step = (source[between[1]] - source[between[0]]) * share + (source[moved[1]] - source[moved[0]]) * far
            target[start:end] = source[between[0]] + step
        made.texts[start:end] = torch.nn.functional.normalize(made.texts[start:end], dim=-1)
    return made


def _pairs(neighbours: Tensor, count: int, rng: torch.Generator) -> Tensor:
    """(2, count) rows of items that are neighbours."""
    first = torch.randint(len(neighbours), (count,), generator=rng)
    column = torch.randint(neighbours.shape[1], (count,), generator=rng)
    return torch.stack((first, neighbours[first, column]))
