"""What an untrained item is worth to whom: it borrows from the trained items that its text is nearest to.

A trained vector says who takes an item; a text alone says what it is. So a new item is held to be taken by those who
take what it reads like: its vector is the mean of theirs, the nearer the more (kernel regression, Nadaraya and Watson,
1964). An inner product with it is the mean logit of those items. It is shorter than theirs where they do not agree, and
stays so. For people who come back for things the same lenders say what a user's own count of them is worth.
DECISIONS.md has what both were compared with. Pure tensor work; knows no index.
"""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

LENDERS: Final = 50_000
"""Trained items that are looked at, at most: evenly taken from all."""

NEAREST: Final = 60
"""Lenders of an item, at most."""

_OF_VECTORS: Final = 6
_OF_TASTES: Final = 16
_AT_ONCE: Final = 1 << 22  # likenesses: 16 MB
_BLOCK: Final = 8_192  # lenders whose texts are brought to full precision in one go
_GATHERED: Final = 1_024  # items whose lenders' vectors are in memory at once


@dataclass(frozen=True, slots=True, eq=False)
class Loans:
    """From whom N items borrow, K lenders each, the nearest first.

    Args:
        lenders: (N, K) int64, numbers among all trained items.
        likeness: (N, K) float32, cosines, 0 where the texts are not alike.
    """

    lenders: Tensor
    likeness: Tensor

    def vectors(self, lender_vectors: Tensor) -> Tensor:
        """(N, D) the means of (R, D); zeros where nothing reads alike."""
        weights = _shares(self.likeness**_OF_VECTORS)
        parts = zip(torch.split(weights, _GATHERED), torch.split(self.lenders, _GATHERED), strict=True)
        return torch.cat([torch.einsum("nk,nkd->nd", part, lender_vectors[who]) for part, who in parts])

    def tastes(self, popularity: Tensor) -> Tensor:
        """(N, K) what each time is worth that a user took a lender: what is the user's own, and not everybody's.

        A user who took much of what reads like an item takes that, unless everybody does (`popularity`, (R,) counts).
        """
        weights = _shares(self.likeness**_OF_TASTES)
        everybody = (weights * popularity[self.lenders]).sum(dim=1, keepdim=True)
        return weights / (1 + everybody)


def loans(texts: Tensor, lender_texts: Tensor) -> Loans:
    """From whom items borrow, by their texts.

    Args:
        texts: (N, T) float32, of length 1.
        lender_texts: (R, T) of trained items, in any precision.
    """
    step = max(1, -(-len(lender_texts) // LENDERS))
    some = lender_texts[::step]
    at_once = max(1, _AT_ONCE // max(1, len(some)))
    parts = [_nearest(part, some) for part in torch.split(texts, at_once)]
    return Loans(torch.cat([part.lenders for part in parts]) * step, torch.cat([part.likeness for part in parts]))


def _nearest(texts: Tensor, lender_texts: Tensor) -> Loans:
    blocks = torch.split(lender_texts, _BLOCK)
    likeness = torch.cat([texts @ block.float().T for block in blocks], dim=1)
    nearest = likeness.topk(min(NEAREST, likeness.shape[1]), dim=1)
    return Loans(nearest.indices, nearest.values.clamp(min=0))


def _shares(weights: Tensor) -> Tensor:
    return weights / weights.sum(dim=1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
