"""The data that a store may begin with: what `riverrun train` reads, as if its events had come first."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from app.contracts.catalog import CatalogItem, encode_catalog_item
from app.data.formats.kept import read_items
from app.data.interactions import Dataset, Interactions
from app.files import replace_file
from model_server.learning.rows import SCHEMA
from model_server.learning.store import EventStore

PAST: Final = "past.jsonl"
_ROWS: Final = 250_000


def begin_with(store: EventStore, folder: Path, dataset: Dataset, now_ms: int) -> bool:
    """Fill a store that is empty; returns whether it was. Items first: rows are never without them.

    No event is later than now (ms since 1970).
    """
    manifest = store.manifest
    if manifest.taken or manifest.offsets or manifest.past:
        return False
    keep_items(folder, dataset.catalog)
    log = dataset.interactions
    clipped = replace(log, ts_ms=np.minimum(log.ts_ms, now_ms))
    store.append(tables_of(clipped, manifest.taken), now_ms, past=dataset.fingerprint)
    return True


def keep_items(folder: Path, items: tuple[CatalogItem, ...]) -> None:
    """Beside the store."""
    replace_file(folder / PAST, b"".join(encode_catalog_item(item) + b"\n" for item in items))


def past_items(folder: Path) -> tuple[CatalogItem, ...]:
    """Those that were kept; none where nothing was."""
    return read_items(folder / PAST) if (folder / PAST).exists() else ()


def tables_of(log: Interactions, first_number: int) -> Iterator[pa.Table]:
    """The log as rows of the store, a segment's worth at a time."""
    ids = {"user": log.user_ids, "item": log.item_ids, "place": log.place_ids}
    dictionaries = {name: pa.array(values, pa.string()) for name, values in ids.items()}
    for start in range(0, len(log), _ROWS):
        part = log.take(slice(start, start + _ROWS))
        count = len(part)
        nothing = pa.nulls(count)
        columns = {
            "number": np.arange(first_number + start, first_number + start + count),
            "user": dictionaries["user"].take(pa.array(part.users)),
            "origin": nothing,
            "item": dictionaries["item"].take(pa.array(part.items)),
            "ts_ms": part.ts_ms,
            "kind": part.kinds,
            "rating": pa.array(part.ratings, from_pandas=True),
            "quantity": nothing if part.quantities is None else pa.array(part.quantities, from_pandas=True),
            "place": nothing
            if part.places is None
            else dictionaries["place"].take(pa.array(part.places, mask=part.places < 0)),
            "event": nothing,
        }
        arrays = [pa.array(columns[field.name]).cast(field.type) for field in SCHEMA]
        yield pa.Table.from_arrays(arrays, schema=SCHEMA)
