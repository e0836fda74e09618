"""What the baselines that torch trains have in common: padded histories, sampled windows, the loop."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from app.data.interactions import Interactions, by_user

PADDING: Final = 0
"""Stands where a history has no item; item n of the catalog is n + 1."""

_CLIP: Final = 5.0


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[np.random.Generator]:
    """Weights, dropout and samples repeat within; torch's own generators are afterwards as they were before."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield np.random.default_rng(seed)


def padded(histories: Sequence[NDArray[np.int32]], length: int) -> Tensor:
    """(B, length) int64: the newest items of each, oldest first, item + 1, then `PADDING`."""
    rows = np.full((len(histories), length), PADDING, dtype=np.int64)
    for row, history in enumerate(histories):
        newest = history[-length:]
        rows[row, : len(newest)] = newest + 1
    return torch.from_numpy(rows)


def chunks(log: Interactions, length: int, rng: np.random.Generator) -> Tensor:
    """(C, length + 1) int64, shuffled: all histories cut into pieces that overlap by one item, padded.

    Where a user's first piece ends is random, so that other items meet in every epoch. Pieces of one item are left out.
    """
    pieces = []
    for positions in by_user(log):
        items = log.items[positions]
        first = int(rng.integers(1, length + 1))
        for end in range(first, len(items) + length, length):
            piece = items[max(0, end - length) : end + 1]
            if len(piece) > 1:
                pieces.append(piece)
    order = rng.permutation(len(pieces))
    return padded([pieces[index] for index in order], length + 1)


def batches(rows: Tensor, size: int) -> Iterator[Tensor]:
    """The rows, `size` at a time."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """Some of the catalog, among which a model learns to find what it was.

    Args:
        items: (M,) int64, item + 1, rising.
        places: where in `items` each wanted item is; any shape.
    """

    items: Tensor
    places: Tensor


def choice_with(wanted: Tensor, catalog: int, sampled: int, rng: np.random.Generator) -> Choice:
    """The wanted items (item + 1) with `sampled` random ones; the whole catalog where it is not larger than that."""
    if catalog <= sampled:
        return Choice(torch.arange(1, catalog + 1, device=wanted.device), wanted - 1)
    random = torch.from_numpy(rng.integers(1, catalog + 1, size=sampled)).to(wanted.device)
    items, places = torch.unique(torch.cat([wanted.flatten(), random]), return_inverse=True)
    return Choice(items, places[: wanted.numel()].view_as(wanted))


def minimise(module: nn.Module, losses: Iterator[Tensor], learning_rate: float, weight_decay: float = 0.0) -> None:
    """One step of AdamW per loss; the next one is asked for when the weights have moved. Ends in evaluation mode."""
    optimizer = torch.optim.AdamW(module.parameters(), lr=learning_rate, weight_decay=weight_decay)
    module.train()
    for loss in losses:
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        nn.utils.clip_grad_norm_(module.parameters(), _CLIP)
        optimizer.step()
    module.train(mode=False)
