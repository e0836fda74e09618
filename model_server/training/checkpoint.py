"""Where a training stands, on disk, so that one that is killed goes on instead of beginning anew.

One file, written beside the old one, brought to the disk and renamed: there is always a whole one. What is read back
are tensors and plain values; torch's restricted reader runs no code of a file.
"""

import os
import pickle
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import torch
from torch import Tensor

from app.files import sync_folder
from model_server.judging.metrics import RankingMetrics

_NAME: Final = "checkpoint-{}.pt"  # of the member
_MOST_OF_THE_TIME: Final = 0.05  # that writing may take: a checkpoint of a large table is rarer

_UNREADABLE: Final = (
    OSError,
    EOFError,
    RuntimeError,
    KeyError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
    msgspec.DecodeError,
)

Tensors = Mapping[str, Tensor]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a training is.

    Args:
        epoch: under way, from 1.
        steps: of it that are done.
        best_epoch: whose weights were the best so far; 0: none yet.
        best: how those did.
        validation: of the newest finished epoch.
        order: state of numpy's generator at the beginning of the epoch.
        seconds: that it took until now.
    """

    epoch: int
    steps: int
    best_epoch: int
    best: RankingMetrics
    validation: RankingMetrics | None
    order: str
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """Everything that decides how a training goes on.

    Args:
        place: where it is.
        network: the weights.
        best: the best weights so far.
        optimizers: the `state_dict` of each.
        generators: of each process the states of torch's random generators.
    """

    place: Place
    network: Tensors
    best: Tensors
    optimizers: list[dict[str, Any]]
    generators: list[list[Tensor]]


class Checkpoints:
    """The newest snapshots of one training: of each member its own.

    Args:
        folder: its own; made when something is written.
        every_s: seconds between two snapshots within an epoch, more where writing takes long.
        clock_s: a monotonic clock.
        member: whose snapshot is saved and loaded; the first is 0.
    """

    def __init__(
        self, folder: Path, every_s: float, clock_s: Callable[[], float] = time.monotonic, member: int = 0
    ) -> None:
        self._folder = folder
        self._every_s = every_s
        self._clock_s = clock_s
        self._member = member
        self._file = folder / _NAME.format(member)
        self._next_s = clock_s() + every_s

    def of_member(self, member: int) -> "Checkpoints":
        """The same training's, of this member."""
        if member == self._member:
            return self
        return Checkpoints(self._folder, self._every_s, self._clock_s, member)

    def is_due(self) -> bool:
        """Whether the last one is old enough."""
        return self._clock_s() >= self._next_s

    def save(self, snapshot: Snapshot) -> None:
        """Replace the snapshot."""
        began_s = self._clock_s()
        self._folder.mkdir(parents=True, exist_ok=True)
        scratch = self._file.with_suffix(".new")
        with scratch.open("wb") as file:
            torch.save(
                {
                    "place": msgspec.json.encode(snapshot.place).decode(),
                    "network": dict(snapshot.network),
                    "best": dict(snapshot.best),
                    "optimizers": snapshot.optimizers,
                    "generators": snapshot.generators,
                },
                file,
            )
            file.flush()
            os.fsync(file.fileno())
        scratch.rename(self._file)
        sync_folder(self._folder)
        ended_s = self._clock_s()
        self._next_s = ended_s + max(self._every_s, (ended_s - began_s) / _MOST_OF_THE_TIME)

    def load(self, device: torch.device) -> Snapshot | None:
        """The newest snapshot; None where there is none that this riverrun can read."""
        try:
            found = torch.load(self._file, map_location=device, weights_only=True)
            place = msgspec.json.decode(found.pop("place"), type=Place)
            # The generators' states belong on the CPU, whatever they generate for.
            generators = [[state.cpu() for state in states] for states in found.pop("generators")]
            return Snapshot(place=place, generators=generators, **found)
        except _UNREADABLE:
            return None

    def place(self) -> Place | None:
        """Where this member's training stands; None where it would begin anew."""
        snapshot = self.load(torch.device("cpu"))
        return None if snapshot is None else snapshot.place

    def remove(self) -> None:
        """The training of all members is finished, or is to begin anew."""
        shutil.rmtree(self._folder, ignore_errors=True)
