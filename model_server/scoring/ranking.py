"""The tensor work of explaining: the nearest of a few vectors, and what a few texts have in common. No words."""

from dataclasses import dataclass

import torch
from torch import Tensor

_MINUS_INFINITY = float("-inf")


@dataclass(frozen=True, slots=True, eq=False)
class Ragged:
    """Slots per user, (B, A) padded behind with 0; `real` (B, A) tells which are real."""

    slots: Tensor
    real: Tensor


def nearest(vectors: Tensor, candidates: Tensor, anchors: Ragged) -> Tensor:
    """For every candidate the number of the user's anchor whose vector points the same way most.

    Args:
        vectors: (N, D), of length 1.
        candidates: (B, K) slots.
        anchors: (B, A) slots.

    Returns:
        (B, K) columns of `anchors`; meaningless where a user has none.
    """
    likeness = torch.bmm(vectors[candidates].float(), vectors[anchors.slots].float().transpose(1, 2))
    likeness.masked_fill_(~anchors.real[:, None, :], _MINUS_INFINITY)
    return likeness.argmax(dim=2)


def content_profiles(texts: Tensor, anchors: Ragged, fading: float) -> Tensor:
    """(B, T): the user's anchors' texts added up, each worth `fading` of the one before; zeros without anchors."""
    weights = fading ** torch.arange(anchors.slots.shape[1], device=texts.device) * anchors.real
    return torch.nn.functional.normalize(torch.bmm(weights[:, None], texts[anchors.slots].float())[:, 0], dim=-1)
