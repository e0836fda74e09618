"""The tensor work of scoring: exact top-k under masks, and the nearest of a few vectors. No users, no words."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_MINUS_INFINITY = float("-inf")


@dataclass(frozen=True, slots=True)
class Ranked:
    """One user's best slots, the best first, with their scores."""

    slots: list[int]
    scores: list[float]


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
    slots[real] = _flat(rows, int(lengths.sum()))
    return Ragged(torch.from_numpy(slots).to(device), torch.from_numpy(real).to(device))


def best(scores: Tensor, hidden: Sequence[Sequence[int]], size: int) -> list[Ranked]:
    """The highest scores per user.

    Args:
        scores: (B, N), minus infinity for what no user may see; changed in place.
        hidden: per user the columns that this user may not see.
        size: how many; fewer come back where there are no more.
    """
    lengths = np.fromiter(map(len, hidden), np.int64, len(hidden))
    users = torch.from_numpy(np.repeat(np.arange(len(hidden)), lengths))
    columns = torch.from_numpy(_flat(hidden, len(users)))
    scores[users.to(scores.device), columns.to(scores.device)] = _MINUS_INFINITY
    values, slots = scores.topk(min(size, scores.shape[1]), dim=1)
    found = values.isfinite().sum(dim=1).tolist()
    rows = zip(slots.tolist(), values.tolist(), found, strict=True)
    return [Ranked(row_slots[:count], row_values[:count]) for row_slots, row_values, count in rows]


def nearest(vectors: Tensor, candidates: Ragged, anchors: Ragged) -> list[list[int]]:
    """For every candidate the number of the user's anchor whose vector points the same way most.

    Args:
        vectors: (N, D), of length 1.
        candidates: (B, K) slots.
        anchors: (B, A) slots.

    Returns:
        (B, K) columns of `anchors`; meaningless where a user has none.
    """
    likeness = torch.bmm(vectors[candidates.slots], vectors[anchors.slots].transpose(1, 2))
    likeness.masked_fill_(~anchors.real[:, None, :], _MINUS_INFINITY)
    numbers: list[list[int]] = likeness.argmax(dim=2).tolist()
    return numbers


def content_profiles(texts: Tensor, anchors: Ragged, fading: float) -> Tensor:
    """(B, T): the user's anchors' texts added up, each worth `fading` of the one before; zeros without anchors."""
    weights = fading ** torch.arange(anchors.slots.shape[1], device=texts.device) * anchors.real
    return torch.nn.functional.normalize((texts[anchors.slots] * weights[..., None]).sum(dim=1), dim=-1)


def _flat(rows: Sequence[Sequence[int]], total: int) -> NDArray[np.int64]:
    return np.fromiter(chain.from_iterable(rows), np.int64, total)
