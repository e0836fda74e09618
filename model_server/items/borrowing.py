"""What an untrained item is worth to whom: it borrows the vectors of the trained items that its text is nearest to.

A trained vector says who takes an item; a text alone says what it is. So a new item is held to be taken by those who
take what it reads like: its vector is the mean of theirs, the nearer the more (kernel regression, Nadaraya and Watson,
1964). An inner product with it is the mean logit of those items. It is shorter than theirs where they do not agree, and
stays so. DECISIONS.md has what it was compared with. Pure tensor work; knows no index.
"""

from typing import Final

import torch
from torch import Tensor

LENDERS: Final = 50_000
"""Trained items that are looked at, at most: evenly taken from all."""

_NEAREST: Final = 60
_SHARPNESS: Final = 6
_AT_ONCE: Final = 1 << 22  # likenesses: 16 MB
_BLOCK: Final = 8_192  # lenders whose texts are brought to full precision in one go


def borrowed(texts: Tensor, lender_texts: Tensor, lender_vectors: Tensor) -> Tensor:
    """The vectors of items by their texts.

    Args:
        texts: (N, T) float32, of length 1.
        lender_texts: (R, T) of trained items, in any precision.
        lender_vectors: (R, D) float32, theirs.

    Returns:
        (N, D); zeros where no lender's text is like the item's, or where there are no lenders.
    """
    step = max(1, -(-len(lender_texts) // LENDERS))
    lender_texts, lender_vectors = lender_texts[::step], lender_vectors[::step]
    if not len(lender_texts):
        return lender_vectors.new_zeros(len(texts), lender_vectors.shape[1])
    at_once = max(1, _AT_ONCE // len(lender_texts))
    return torch.cat([_borrowed(part, lender_texts, lender_vectors) for part in torch.split(texts, at_once)])


def _borrowed(texts: Tensor, lender_texts: Tensor, lender_vectors: Tensor) -> Tensor:
    likeness = torch.cat([texts @ block.float().T for block in torch.split(lender_texts, _BLOCK)], dim=1)
    nearest = likeness.topk(min(_NEAREST, likeness.shape[1]), dim=1)
    weights = nearest.values.clamp(min=0) ** _SHARPNESS
    weights /= weights.sum(dim=1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
    return torch.einsum("nk,nkd->nd", weights, lender_vectors[nearest.indices])
