"""What can be said of a model version without loading it. Knows no torch, and verifies nothing."""

from pathlib import Path

import msgspec
from msgspec import Struct

from app.errors import ModelVersionError


class Trained(Struct, frozen=True):
    """What a list needs of data.json."""

    name: str
    events: int
    users: int
    items: int
    last_ts_ms: int
    code: str = ""
    parent: str = ""
    options: dict[str, bool | int | float | None] = {}


class Summary(Struct, frozen=True):
    """A version at a glance.

    Args:
        version: its name.
        data: what it was trained on.
        metrics: on validation, by name.
        size_bytes: of its files.
    """

    version: str
    data: Trained
    metrics: dict[str, float]
    size_bytes: int


def summary_of(folder: Path) -> Summary:
    """Read it.

    Raises:
        ModelVersionError: its description cannot be read.
    """
    try:
        data = msgspec.json.decode((folder / "data.json").read_bytes(), type=Trained)
        metrics = msgspec.json.decode((folder / "metrics.json").read_bytes(), type=dict[str, float])
        size = sum(path.stat().st_size for path in folder.iterdir())
    except (OSError, msgspec.DecodeError) as error:
        raise ModelVersionError(
            f"{folder} cannot be described: {error}.", hint="Copy the whole folder again, or remove it."
        ) from error
    return Summary(folder.name, data, metrics, size)
