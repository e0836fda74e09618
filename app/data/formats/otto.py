"""OTTO (2022): one session a line, `{"session": 1, "events": [{"aid": 2, "ts": 1659304800025, "type": "clicks"}]}`.

A session is a user here. 216 million events: take the newest with `--newest-events`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from app.data.columns import Column, kinds
from app.data.formats.raw import RawLog, batch, nothing_known
from app.data.formats.text import blame, json_lines
from app.data.times import times_ms
from app.interests.state import Kind

_KINDS: Final[dict[str, int]] = {"clicks": Kind.CLICK, "carts": Kind.ADD_TO_CART, "orders": Kind.PURCHASE}
_EVENT: Final = pa.struct([("aid", pa.int64()), ("ts", pa.int64()), ("type", pa.string())])
_FIELDS: Final = pa.schema([("session", pa.int64()), ("events", pa.list_(_EVENT))])


class _Event(msgspec.Struct):
    """One event as published."""

    aid: int
    ts: int
    type: Literal["clicks", "carts", "orders"]


class _Session(msgspec.Struct):
    """One line as published."""

    session: int
    events: list[_Event]


def open_otto(path: Path) -> RawLog:
    """A `.jsonl` file, or the folder with all of them (train and test)."""
    files = tuple(sorted(path.glob("*.jsonl*"))) if path.is_dir() else (path,)
    return RawLog(files=files, batches=_batches(files), catalog=nothing_known)


def _batches(files: tuple[Path, ...]) -> Iterator[pa.RecordBatch]:
    for path in files:
        for lines in json_lines(path, _FIELDS, _Session):
            events = lines.column("events")
            aids, moments, types = (pc.struct_field(events.flatten(), name) for name in ("aid", "ts", "type"))
            if aids.null_count or moments.null_count or types.null_count:
                blame(path, _Session)
            lengths = pc.list_value_length(events).to_numpy()
            yield batch(
                users=pa.array(np.repeat(lines.column("session").to_numpy(), lengths)),
                items=aids,
                ts_ms=times_ms(Column(str(path), "ts", moments)),
                kinds=kinds(Column(str(path), "type", types), _KINDS),
            )
