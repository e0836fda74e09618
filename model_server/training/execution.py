"""How a training is carried out. None of it decides what is learned, but for rounding."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

from model_server.training.checkpoint import Checkpoints
from model_server.training.precision import Precision
from model_server.training.team import Team

_CUBLAS = "CUBLAS_WORKSPACE_CONFIG"


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """See the module.

    Args:
        parts: a batch is worked through in so many parts, one after the other: the same gradient in less memory.
        precision: `auto` is bfloat16 on a GPU that has it, float32 elsewhere.
        deterministic: only algorithms that give the same bits every time; slower on a GPU.
        team: the processes that train together.
        checkpoints: where a training that is killed goes on from; None: from the beginning.
    """

    parts: int = 1
    precision: Precision = Precision.AUTO
    deterministic: bool = False
    team: Team = field(default_factory=Team)
    checkpoints: Checkpoints | None = None

    def half(self, device: torch.device) -> bool:
        """Whether bfloat16 is multiplied on this device."""
        if self.precision is Precision.AUTO:
            return device.type == "cuda" and not self.deterministic and torch.cuda.is_bf16_supported()
        return self.precision is Precision.BFLOAT16


@contextmanager
def determinism(*, wanted: bool) -> Iterator[None]:
    """Torch refuses algorithms that do not repeat themselves, if that is wanted; afterwards it is as it was before."""
    before = torch.are_deterministic_algorithms_enabled()
    if wanted:
        os.environ.setdefault(_CUBLAS, ":4096:8")  # cuBLAS wants it for this; read when CUDA starts
        torch.use_deterministic_algorithms(mode=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(mode=before)
