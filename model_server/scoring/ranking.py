"""The tensor work of explaining: the nearest of a few vectors, and what a few texts have in common. No words."""

from dataclasses import dataclass

import torch
from torch import Tensor

_MINUS_INFINITY = float("-inf")


@dataclass(frozen=True, slots=True, eq=False)
class AnchorVectors:
    """(B, A, D) vectors of users' anchors, float32, the newest first; `real` (B, A) tells which are not padding."""

    vectors: Tensor
    real: Tensor


def rows_of(vectors: Tensor, slots: Tensor) -> Tensor:
    """(N, D) vectors in any precision and (B, K) of their slots -> (B, K, D) float32."""
    # A third of the time of vectors[slots].
    return torch.nn.functional.embedding(slots, vectors).float()


def nearest(candidates: Tensor, anchors: AnchorVectors) -> Tensor:
    """For every candidate the number of the user's anchor whose vector points the same way most.

    Args:
        candidates: (B, K, D) vectors of length 1, float32.
        anchors: B users', of length 1.

    Returns:
        (B, K) columns of `anchors`; meaningless where a user has none.
    """
    likeness = torch.bmm(candidates, anchors.vectors.transpose(1, 2))
    likeness.masked_fill_(~anchors.real[:, None, :], _MINUS_INFINITY)
    return likeness.argmax(dim=2)
