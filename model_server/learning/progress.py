"""Where the learner is, in a file that is replaced whole: whoever is killed goes on with the step it was in."""

from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from app.errors import StateError
from app.files import replace_file

PROGRESS: Final = "progress.json"


class Stage(StrEnum):
    """What is being done."""

    COLLECTING = "collecting"
    TRAINING = "training"
    JUDGING = "judging"
    PROMOTING = "promoting"


class Progress(Struct, frozen=True, kw_only=True):
    """See the module.

    Args:
        stage: what is being done.
        since_ms: since when.
        cut: number of the first row that the newest challenger did not see; 0 before there was one.
        challenger: its version, once it is trained.
        champion: the version it is compared with.
        look: which look of the gate comes next, from 0.
        reason: why it is promoted.
        made: versions that this learner made and that are still there, oldest first.
    """

    stage: Stage = Stage.COLLECTING
    since_ms: int = 0
    cut: int = 0
    challenger: str = ""
    champion: str = ""
    look: int = 0
    reason: str = ""
    made: tuple[str, ...] = ()


def read_progress(folder: Path) -> Progress:
    """What the file says; the beginning where there is none.

    Raises:
        StateError: it cannot be read.
    """
    path = folder / PROGRESS
    try:
        return msgspec.json.decode(path.read_bytes(), type=Progress)
    except FileNotFoundError:
        return Progress()
    except (OSError, msgspec.DecodeError) as error:
        raise StateError(
            f"{path} cannot be read: {error}.", hint="Remove the file: the learner begins a new round."
        ) from error


def write_progress(folder: Path, progress: Progress) -> None:
    """Replace it."""
    replace_file(folder / PROGRESS, msgspec.json.format(msgspec.json.encode(progress), indent=1) + b"\n")
