"""How a training is carried out. None of it decides what is learned, but for rounding."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import torch

from model_server.training.checkpoint import Checkpoints
from model_server.training.precision import Precision
from model_server.training.team import Team

_CUBLAS: Final = "CUBLAS_WORKSPACE_CONFIG"
_MANY_ITEMS: Final = 4_096
_CPU_INFO: Final = Path("/proc/cpuinfo")
_CPU_FLAGS: Final = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """See the module.

    Args:
        parts: a batch is worked through in so many parts, one after the other: the same gradient in less memory.
        precision: `auto` is bfloat16 on a GPU that has it; on a CPU that has it for comparing positions with the items
            of a large catalog, where it halves the time (DECISIONS.md).
        deterministic: only algorithms that give the same bits every time; slower on a GPU.
        team: the processes that train together.
        checkpoints: where a training that is killed goes on from; None: from the beginning.
    """

    parts: int = 1
    precision: Precision = Precision.AUTO
    deterministic: bool = False
    team: Team = field(default_factory=Team)
    checkpoints: Checkpoints | None = None

    def half_network(self, device: torch.device) -> bool:
        """Whether the network multiplies in bfloat16."""
        if self.precision is Precision.AUTO:
            return device.type == "cuda" and torch.cuda.is_bf16_supported()
        return self.precision is Precision.BFLOAT16

    def half_loss(self, device: torch.device, items: int) -> bool:
        """Whether the comparison with all items multiplies in bfloat16."""
        if self.precision is Precision.AUTO and device.type == "cpu":
            return items >= _MANY_ITEMS and cpu_has_bfloat16()
        return self.half_network(device)


def cpu_has_bfloat16() -> bool:
    """By what the kernel says of the CPU; a stopwatch would choose differently from run to run."""
    return _CPU_INFO.exists() and not _CPU_FLAGS.isdisjoint(_CPU_INFO.read_text().split())


@contextmanager
def determinism(*, wanted: bool) -> Iterator[None]:
    """Torch refuses algorithms that do not repeat themselves, if that is wanted; afterwards it is as it was before.

    Where it is not wanted torch is not asked at all: its setter imports half of torch, and a Ctrl-C amid an import
    would come out of it as another error.
    """
    if not wanted:
        yield
        return
    before = torch.are_deterministic_algorithms_enabled()
    os.environ.setdefault(_CUBLAS, ":4096:8")  # cuBLAS wants it for this; read when CUDA starts
    torch.use_deterministic_algorithms(mode=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(mode=before)
