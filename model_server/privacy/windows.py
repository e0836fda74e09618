"""What one person contributes to a step: one window of bounded length, out of a random place of their history."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from model_server.model.sequences import padded_batch
from model_server.training.chunks import Histories, in_any_order


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """B people's windows, all padded to the same length L.

    Args:
        positions, kinds, gaps: (B, L) int64, as in `SequenceBatch`.
        targets: (B, L) int64, what came next; 0 in the padding.
        real: (B, L) bool, false in the padding.
    """

    positions: Tensor
    kinds: Tensor
    gaps: Tensor
    targets: Tensor
    real: Tensor

    def __len__(self) -> int:
        return len(self.real)

    def parts(self, people: int) -> "Sequence[Windows]":
        """At most so many people each; one part at least."""
        if len(self) <= people:
            return (self,)
        cuts = [slice(start, start + people) for start in range(0, len(self), people)]
        return [Windows(*(column[cut] for column in self.columns())) for cut in cuts]

    def columns(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """In the order of the class."""
        return self.positions, self.kinds, self.gaps, self.targets, self.real


def able(histories: Histories) -> NDArray[np.intp]:
    """The users from whom something can be learned: those with two interactions."""
    return np.flatnonzero(histories.lengths > 1)


def windows_of(histories: Histories, users: NDArray[np.intp], length: int, rng: np.random.Generator) -> Windows:
    """One window of at most `length` transitions of each of these users; what they did at one instant in any order."""
    histories = _only(histories, users)
    histories = in_any_order(histories, rng)
    transitions = histories.lengths - 1
    taken = np.minimum(transitions, length)
    first = histories.starts + rng.integers(0, transitions - taken + 1)
    steps = np.arange(length)
    real = steps < taken[:, None]
    flat = (first[:, None] + steps)[real]
    batch = padded_batch(histories.items[flat], histories.kinds[flat], histories.ts_ms[flat], taken)
    targets = np.zeros(real.shape, np.int64)
    targets[real] = histories.items[flat + 1]
    missing = (0, length - batch.positions.shape[1])
    positions, kinds, gaps = (functional.pad(column, missing) for column in (batch.positions, batch.kinds, batch.gaps))
    return Windows(positions, kinds, gaps, torch.from_numpy(targets), torch.from_numpy(real))


def _only(histories: Histories, users: NDArray[np.intp]) -> Histories:
    """The same of some users."""
    lengths = histories.lengths[users]
    starts = np.cumsum(lengths) - lengths
    flat = np.repeat(histories.starts[users] - starts, lengths) + np.arange(int(lengths.sum()))
    return Histories(histories.items[flat], histories.kinds[flat], histories.ts_ms[flat], starts, lengths)
