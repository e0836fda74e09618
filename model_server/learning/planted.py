"""What a replay can be given to learn, or to see through: a drift, and poison."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from app.data.formats.kept import EVENTS
from app.data.interactions import Dataset


def drifted(dataset: Dataset, at: int, seed: int) -> Dataset:
    """From event number `at` on, half of the catalogue has changed places.

    What was done to the most popular item of that half is done to its least popular one, and so on.
    """
    log = dataset.interactions
    half = np.random.default_rng(seed).permutation(len(log.item_ids))[: len(log.item_ids) // 2]
    by_popularity = half[np.argsort(-np.bincount(log.items, minlength=len(log.item_ids))[half], kind="stable")]
    instead = np.arange(len(log.item_ids), dtype=np.int32)
    instead[by_popularity] = by_popularity[::-1]
    items = log.items.copy()
    items[at:] = instead[items[at:]]
    fingerprint = hashlib.sha256(f"{dataset.fingerprint} drifted {at} {seed}".encode()).hexdigest()
    return replace(
        dataset,
        name=f"{dataset.name}, drifted",
        interactions=replace(log, items=items),
        fingerprint=fingerprint,
    )


def poison(folder: Path, seed: int) -> None:
    """Of a kept folder: everybody keeps their moments, and the items are dealt out anew by chance."""
    path = folder / EVENTS
    table = parquet.read_table(path)
    dealt = np.random.default_rng(seed).permutation(table.num_rows)
    place = table.schema.get_field_index("item")
    parquet.write_table(table.set_column(place, table.schema.field("item"), table["item"].take(pa.array(dealt))), path)
