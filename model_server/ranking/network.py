"""Small networks that score candidates one by one, beside the trees: alone as good, and different.

Hidden layers over what the trees read: signed logarithms, standardised, with a mark where a number is missing. Several
of other beginnings lie in one, side by side, and the mean of their scores counts.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_FARTHEST: Final = 5.0  # standard deviations
_LEAST_SPREAD: Final = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """Columns of features on their way into a network.

    Args:
        used: (I,) int64, columns that are not the same everywhere.
        gaps: (G,) int64, columns in which numbers are missing.
        means, deviations: (I,) float32, of the signed logarithms.
    """

    used: NDArray[np.int64]
    gaps: NDArray[np.int64]
    means: NDArray[np.float32]
    deviations: NDArray[np.float32]

    @classmethod
    def of(cls, matrix: NDArray[np.float32]) -> "Scaling":
        """Of (C, F) features, some of them NaN."""
        missing = np.isnan(matrix).any(axis=0)
        logs = _signed_logs(matrix)
        deviations = logs.std(axis=0)
        used = np.flatnonzero(deviations > _LEAST_SPREAD)
        return cls(used, np.flatnonzero(missing), logs.mean(axis=0)[used], deviations[used])

    def __len__(self) -> int:
        return len(self.used) + len(self.gaps)

    def inputs(self, matrix: NDArray[np.float32]) -> Tensor:
        """(C, F) -> (C, I + G)."""
        scaled = (_signed_logs(matrix[:, self.used]) - self.means) / self.deviations
        inputs = np.empty((len(matrix), len(self)), np.float32)
        np.clip(scaled, -_FARTHEST, _FARTHEST, out=inputs[:, : len(self.used)])
        inputs[:, len(self.used) :] = np.isnan(matrix[:, self.gaps])
        return torch.from_numpy(inputs)


@dataclass(frozen=True, slots=True)
class Shape:
    """Of a network: how many lie side by side, the width of each hidden layer, and the dropout behind each."""

    members: int = 3
    hidden: tuple[int, ...] = (128, 64)
    dropout: float = 0.1


class RankingNetwork(nn.Module):
    """See the module.

    Args:
        scaling: of its inputs.
        shape: of its layers.
    """

    def __init__(self, scaling: Scaling, shape: Shape) -> None:
        super().__init__()
        self.scaling = scaling
        self.shape = shape
        layers, width = list[nn.Module](), len(scaling)
        for size in shape.hidden:
            layers += [_Beside(shape.members, width, size), nn.SiLU(), nn.Dropout(shape.dropout)]
            width = size
        self.layers = nn.Sequential(*layers, _Beside(shape.members, width, 1))

    def forward(self, inputs: Tensor) -> Tensor:
        """(C, I + G) of `Scaling.inputs` -> (M, C) logits within a list."""
        logits: Tensor = self.layers(inputs.expand(self.shape.members, *inputs.shape)).squeeze(-1)
        return logits

    def scores(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """(C, F) -> (C,)."""
        with torch.inference_mode():
            logits: NDArray[np.float32] = self(self.scaling.inputs(matrix)).mean(dim=0).numpy()
        return logits.astype(np.float64)


class _Beside(nn.Module):
    """A linear layer for each member: (M, C, inputs) -> (M, C, outputs)."""

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(max(inputs, 1))  # as torch begins its own
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(members, 1, outputs).uniform_(-bound, bound))

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, inputs, self.weight)


def arrays_of(network: RankingNetwork) -> dict[str, NDArray[Any]]:
    """All its numbers by name."""
    weights = {name: weight.numpy() for name, weight in network.state_dict().items()}
    return weights | {field.name: getattr(network.scaling, field.name) for field in fields(Scaling)}


def network_of(arrays: Mapping[str, NDArray[Any]], shape: Shape) -> RankingNetwork:
    """The network of these numbers.

    Raises:
        KeyError: one of them is missing.
        ValueError: they do not fit together.
    """
    scaling = Scaling(**{field.name: arrays[field.name] for field in fields(Scaling)})
    network = RankingNetwork(scaling, shape)
    try:
        network.load_state_dict({name: torch.from_numpy(arrays[name]) for name in network.state_dict()})
    except RuntimeError as error:
        raise ValueError(str(error)) from error
    return network.eval()


def _signed_logs(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """sign(x) log(1 + |x|), 0 for what is missing."""
    logs: NDArray[np.float32] = np.nan_to_num(np.sign(matrix) * np.log1p(np.abs(matrix))).astype(np.float32, copy=False)
    return logs
