"""What the event store holds, in one file that is replaced whole: rows and offsets are published together.

    <folder>/manifest.json          this
    <folder>/<n>.parquet            segments: rows of `rows.SCHEMA`, in the order of their numbers; never changed
    <folder>/past.jsonl             items of the data that the store began with, if it did

A segment that the manifest does not name was written by somebody who was killed before it was published: it is removed.
"""

from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from app.errors import StateError
from app.files import replace_file
from model_server.learning.rows import Change

MANIFEST: Final = "manifest.json"
SCHEMA_VERSION: Final = 1


class Segment(Struct, frozen=True, kw_only=True):
    """One file of rows; `first` and `last` are numbers, of which some between may have been erased."""

    file: str
    rows: int
    first: int
    last: int
    newest_ts_ms: int
    size_bytes: int


class Manifest(Struct, frozen=True, kw_only=True):
    """See the module.

    Args:
        taken: rows that were ever stored: the number of the next one.
        offsets: partition of `events` -> the offset to go on from.
        segments: oldest first.
        changes: not yet made in the segments; whoever reads them makes them.
        files: segments that were ever written: the name of the next one.
        past: fingerprint of the data that the store began with; empty where there was none.
        past_rows: of it: the number of the first row that came from the topic.
        past_shift_ms: how long after the newest event of that data the store began.
    """

    schema_version: int = SCHEMA_VERSION
    taken: int = 0
    offsets: dict[int, int] = {}
    segments: tuple[Segment, ...] = ()
    changes: tuple[Change, ...] = ()
    files: int = 0
    past: str = ""
    past_rows: int = 0
    past_shift_ms: int = 0

    @property
    def newest_ts_ms(self) -> int:
        """Of all rows; 0 where there is none."""
        return max((segment.newest_ts_ms for segment in self.segments), default=0)


def read_manifest(folder: Path) -> Manifest:
    """The one in this folder; an empty one where there is none.

    Raises:
        StateError: it cannot be read.
    """
    path = folder / MANIFEST
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        return Manifest()
    except (OSError, msgspec.DecodeError) as error:
        raise StateError(
            f"{path} cannot be read: {error}.", hint="Remove the folder: the store is filled anew from the topic."
        ) from error
    if manifest.schema_version != SCHEMA_VERSION:
        raise StateError(
            f"{path} has schema version {manifest.schema_version}, this riverrun reads {SCHEMA_VERSION}.",
            hint="Run the riverrun that wrote it, or remove the folder.",
        )
    return manifest


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Publish it."""
    replace_file(folder / MANIFEST, msgspec.json.encode(manifest))
