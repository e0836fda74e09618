"""Which checkpoint belongs to which training: a folder named by what decides how a training ends."""

import fcntl
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from model_server.finetuning.options import FinetuningOptions
from model_server.training.checkpoint import Checkpoints
from model_server.training.options import TrainingOptions
from model_server.training.precision import Precision

FOLDER: Final = ".training"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingKey:
    """What decides how a training ends.

    Args:
        data: sha256 of the data set.
        held_out_events: of it.
        text_encoder: fingerprint.
        options: the settings.
        precision: as the person said.
        processes: that train together.
        device: "cpu" or "cuda": generators and optimizers of one mean nothing to the other.
    """

    data: str
    held_out_events: int
    text_encoder: str
    options: TrainingOptions | FinetuningOptions
    precision: Precision
    processes: int
    device: str

    def digest(self) -> str:
        """A short name for it, different in every version of riverrun."""
        text = json.dumps([version("riverrun"), asdict(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@contextmanager
def claimed(
    parent: Path, key: TrainingKey, every_s: float, say: Callable[[str], object]
) -> Iterator[Checkpoints | None]:
    """The checkpoints of this training, for this process alone; None while another process is at the same training.

    They lie in the folder `.training` of `parent`. The kernel gives up the claim of a process that was killed.
    """
    folder = parent / FOLDER / key.digest()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another process is at the very same training; this one keeps no checkpoints.")
            yield None
            return
        yield Checkpoints(folder, every_s)


@contextmanager
def shared(
    parent: Path, key: TrainingKey, every_s: float, _say: Callable[[str], object]
) -> Iterator[Checkpoints | None]:
    """The same for the others of a team, whose leader has claimed it."""
    yield Checkpoints(parent / FOLDER / key.digest(), every_s)
