"""The tensor work of explaining: the nearest of a few vectors, and what a few texts have in common. No words."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from torch import Tensor

_MINUS_INFINITY = float("-inf")


@dataclass(frozen=True, slots=True, eq=False)
class Ragged:
    """Slots per user, (B, A) padded behind with 0; `real` (B, A) tells which are real."""

    slots: Tensor
    real: Tensor


def ragged(rows: Sequence[Sequence[int]], device: torch.device) -> Ragged:
    """Lists of slots, one per user, as one tensor; at least one column."""
    # By way of numpy: torch makes tensors of nested lists number by number.
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    real = np.arange(max(1, lengths.max(initial=0))) < lengths[:, None]
    slots = np.zeros(real.shape, np.int64)
    slots[real] = np.fromiter(chain.from_iterable(rows), np.int64, int(lengths.sum()))
    return Ragged(torch.from_numpy(slots).to(device), torch.from_numpy(real).to(device))


def nearest(vectors: Tensor, candidates: Ragged, anchors: Ragged) -> list[list[int]]:
    """For every candidate the number of the user's anchor whose vector points the same way most.

    Args:
        vectors: (N, D), of length 1.
        candidates: (B, K) slots.
        anchors: (B, A) slots.

    Returns:
        (B, K) columns of `anchors`; meaningless where a user has none.
    """
    likeness = torch.bmm(vectors[candidates.slots].float(), vectors[anchors.slots].float().transpose(1, 2))
    likeness.masked_fill_(~anchors.real[:, None, :], _MINUS_INFINITY)
    numbers: list[list[int]] = likeness.argmax(dim=2).tolist()
    return numbers


def content_profiles(texts: Tensor, anchors: Ragged, fading: float) -> Tensor:
    """(B, T): the user's anchors' texts added up, each worth `fading` of the one before; zeros without anchors."""
    weights = fading ** torch.arange(anchors.slots.shape[1], device=texts.device) * anchors.real
    return torch.nn.functional.normalize((texts[anchors.slots].float() * weights[..., None]).sum(dim=1), dim=-1)
