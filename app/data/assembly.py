"""Batches of raw interactions become a data set: numbered, in time order, with a catalog.

Memory is bounded by what is kept: with `newest`, by twice that many interactions, however large the file is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from app.contracts.catalog import CatalogItem
from app.data.formats.raw import RawLog
from app.data.interactions import Interactions, in_time_order
from app.errors import DataError

# Below this a batch is not worth looking for what can be dropped.
_LEAST_BUFFERED: Final = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Assembled:
    """Interactions with the catalog they point into."""

    interactions: Interactions
    catalog: tuple[CatalogItem, ...]


def assemble(raw: RawLog, newest: int = 0) -> Assembled:
    """Everything in the log, or its `newest` interactions (0: all), in time order, ties as they stand in the file.

    Items are numbered as the catalog lists them, then as they first appear; one that is not listed gets its id as
    title. Users, places and baskets are numbered as they first appear.

    Raises:
        DataError: the log is empty, or a batch cannot be read.
    """
    table = _newest(raw.batches, newest) if newest else _all(raw.batches)
    if table is None or not table.num_rows:
        raise DataError(f"There are no interactions in {', '.join(map(str, raw.files))}.", hint="Is it the right file?")
    users, user_ids = _numbered(table["user"])
    touched, touched_ids = _numbered(table["item"])
    catalog = raw.catalog(frozenset(touched_ids))
    listed = {item.item_id: index for index, item in enumerate(catalog)}
    unlisted = [item_id for item_id in touched_ids if item_id not in listed]
    listed |= {item_id: index for index, item_id in enumerate(unlisted, start=len(catalog))}
    item_of_touched = np.array([listed[item_id] for item_id in touched_ids], dtype=np.int32)
    places, place_ids = _numbered(table["place"]) if "place" in table.column_names else (None, ())
    interactions = in_time_order(
        Interactions(
            users=users,
            items=item_of_touched[touched],
            kinds=table["kind"].to_numpy(),
            ts_ms=table["ts_ms"].to_numpy(),
            ratings=_floats(table, "rating", len(users)),
            user_ids=user_ids,
            item_ids=tuple(listed),
            quantities=_floats(table, "quantity", len(users)) if "quantity" in table.column_names else None,
            places=places,
            place_ids=place_ids,
            baskets=_numbered(table["basket"])[0] if "basket" in table.column_names else None,
        )
    )
    nameless = (CatalogItem(item_id=item_id, title=item_id) for item_id in unlisted)
    return Assembled(interactions=interactions, catalog=(*catalog, *nameless))


def _all(batches: Iterable[pa.RecordBatch]) -> pa.Table | None:
    kept = list(batches)
    return pa.Table.from_batches(kept) if kept else None


def _newest(batches: Iterable[pa.RecordBatch], newest: int) -> pa.Table | None:
    """The newest rows in the order of the file; of those that tie at the cut, the last."""
    kept: list[pa.Table] = []
    rows = 0
    for batch in batches:
        kept.append(pa.Table.from_batches([batch]))
        rows += batch.num_rows
        if rows > newest + max(newest, _LEAST_BUFFERED):
            kept = [_newest_of(kept, newest)]
            rows = kept[0].num_rows
    return _newest_of(kept, newest) if kept else None


def _newest_of(tables: Sequence[pa.Table], newest: int) -> pa.Table:
    table = pa.concat_tables(tables)
    chosen = np.sort(np.argsort(table["ts_ms"].to_numpy(), kind="stable")[-newest:])
    return table.take(chosen)


def _numbered(column: pa.ChunkedArray) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """(E,) index of each row's id, -1 for null, and the ids as text, as they first appear."""
    encoded = pc.dictionary_encode(column.combine_chunks())
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    indices = encoded.indices.fill_null(-1).to_numpy().astype(np.int32)
    return indices, tuple(encoded.dictionary.cast(pa.large_string()).to_pylist())


def _floats(table: pa.Table, name: str, rows: int) -> NDArray[np.float32]:
    if name not in table.column_names:
        return np.full(rows, np.nan, dtype=np.float32)
    return np.asarray(table[name].to_numpy(), dtype=np.float32)
