"""The store as a folder that every command reads (app.data.formats.kept): to train on, or to judge on."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from app.contracts.catalog import CatalogItem
from app.data.formats.kept import COLUMNS, kept_writer
from model_server.learning.store import EventStore

_LONG_AGO: Final = -(1 << 62)


@dataclass(frozen=True, slots=True)
class Extent:
    """Which rows: those numbered below `until`; from `live_from` on they are in the order in which they came.

    A time there that lies before one that had come already is taken for that one, so that the order of times is the
    order in which the rows became known: each event is predicted from what was known then.
    """

    until: int
    live_from: int

    @classmethod
    def below(cls, until: int) -> "Extent":
        """None of them live."""
        return cls(until, until)


def write_snapshot(store: EventStore, folder: Path, items: Iterable[CatalogItem], extent: Extent) -> int:
    """Write them, in place of whatever stood in the folder; returns how many of the rows are live."""
    scratch = folder.with_name(f"{folder.name}.incomplete")
    for old in (scratch, folder):
        shutil.rmtree(old, ignore_errors=True)
    newest_ms, live = _LONG_AGO, 0
    with kept_writer(scratch, items) as writer:
        for table in store.read(extent.until):
            if not table.num_rows:  # all of them were erased
                continue
            ts_ms = table["ts_ms"].to_numpy().copy()
            is_live = table["number"].to_numpy() >= extent.live_from
            if is_live.any():
                first = int(np.argmax(is_live))
                newest_ms = max(newest_ms, int(ts_ms[:first].max(initial=_LONG_AGO)))
                ts_ms[first:] = np.maximum(np.maximum.accumulate(ts_ms[first:]), newest_ms)
                live += len(ts_ms) - first
            newest_ms = max(newest_ms, int(ts_ms.max(initial=_LONG_AGO)))
            place = table.schema.get_field_index("ts_ms")
            writer.write_table(table.set_column(place, "ts_ms", pa.array(ts_ms)).select(COLUMNS.names))
    scratch.rename(folder)
    return live
