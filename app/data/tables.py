"""A user's own event log, Parquet or CSV, as a data set."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from app.contracts.catalog import CatalogItem
from app.data import columns
from app.data.columns import Column
from app.data.interactions import Dataset, Interactions, in_time_order
from app.data.mapping import ATTRIBUTE, ColumnMapping
from app.errors import DataError
from app.files import sha256_of
from app.interests.state import Kind

_KINDS: Final = {kind.name.lower(): kind for kind in Kind}
# Types of events that are no interaction with an item; their rows are left out.
_OTHER_TYPES: Final = frozenset({"impression", "search", "identify", "forget"})
_LEFT_OUT: Final = 0


def load_table(path: Path, mapping: ColumnMapping, catalog_path: Path | None, catalog_map: ColumnMapping) -> Dataset:
    """Read an event log and, where there is one, its catalog.

    An item that is not in the catalog gets its id as title. Without a type column every row is a `rate` where
    there is a rating column, else a `view`.

    Raises:
        DataError: a file, column or cell is missing or wrong; names file, column and row.
    """
    catalog = read_catalog(catalog_path, catalog_map) if catalog_path else ()
    interactions = read_interactions(path, mapping, [item.item_id for item in catalog])
    listed = {item.item_id for item in catalog}
    unlisted = (item_id for item_id in interactions.item_ids if item_id not in listed)
    digests = sha256_of(path) + (sha256_of(catalog_path) if catalog_path else "")
    return Dataset(
        name=path.name,
        interactions=interactions,
        catalog=(*catalog, *(CatalogItem(item_id=item_id, title=item_id) for item_id in unlisted)),
        fingerprint=hashlib.sha256(digests.encode()).hexdigest(),
    )


def read_interactions(path: Path, mapping: ColumnMapping, listed_items: Sequence[str]) -> Interactions:
    """The log in time order; items are numbered as listed, then as they first appear."""
    table = _read_columns(path, mapping)
    user_index: dict[str, int] = {}
    item_index = {item_id: index for index, item_id in enumerate(listed_items)}
    user_of_row = [user_index.setdefault(one, len(user_index)) for one in columns.ids(table["user"])]
    item_of_row = [item_index.setdefault(one, len(item_index)) for one in columns.ids(table["item"])]
    kinds = _kinds(table, rows=len(user_of_row))
    nothing = np.full(len(user_of_row), np.nan, dtype=np.float32)
    interactions = Interactions(
        users=np.array(user_of_row, dtype=np.int32),
        items=np.array(item_of_row, dtype=np.int32),
        kinds=np.array(kinds, dtype=np.int8),
        ts_ms=columns.times_ms(table["ts"]),
        ratings=columns.numbers(table["rating"]) if "rating" in table else nothing,
        user_ids=tuple(user_index),
        item_ids=tuple(item_index),
    )
    return in_time_order(interactions.take(interactions.kinds != _LEFT_OUT))


def read_catalog(path: Path, mapping: ColumnMapping) -> tuple[CatalogItem, ...]:
    """The catalog in the file's order."""
    table = _read_columns(path, mapping)
    item_ids = columns.ids(table["item"])
    seen: set[str] = set()
    items: list[CatalogItem] = []
    for row, item_id in enumerate(item_ids):
        if item_id in seen:
            raise table["item"].error(row, "an id that is there once")
        seen.add(item_id)
        items.append(_catalog_item(table, row, item_id))
    return tuple(items)


def _catalog_item(table: dict[str, Column], row: int, item_id: str) -> CatalogItem:
    fields: dict[str, object] = {"item_id": item_id, "attributes": {}}
    attributes: dict[str, str] = {}
    for field, column in table.items():
        if field == "item" or column.is_missing(row):
            continue
        value = column.values[row]
        if field.startswith(ATTRIBUTE):
            attributes[field.removeprefix(ATTRIBUTE)] = str(value)
        elif field == "category":
            fields[field] = columns.words(value)
        else:
            fields[field] = float(value) if field == "price" and _is_number(value) else str(value)
    try:
        return msgspec.convert({"title": item_id, **fields, "attributes": attributes}, CatalogItem)
    except msgspec.ValidationError as error:
        raise DataError(f"{table['item'].source} row {row + 1}: {error}.", hint="Mend or remove the row.") from error


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True


def _kinds(table: dict[str, Column], rows: int) -> list[int]:
    if "type" not in table:
        return [Kind.RATE if "rating" in table else Kind.VIEW] * rows
    wanted = f"one of {', '.join([*_KINDS, *sorted(_OTHER_TYPES)])}"
    return table["type"].converted(lambda name: _LEFT_OUT if name in _OTHER_TYPES else _KINDS[name], wanted)


def _read_columns(path: Path, mapping: ColumnMapping) -> dict[str, Column]:
    """Field -> column, reading only the columns that are mapped."""
    if not path.is_file():
        raise DataError(f"There is no file {path}.", hint="Give the path of a .parquet or .csv file.")
    try:
        if path.suffix == ".parquet":
            found = mapping.resolve(parquet.read_schema(path).names, str(path))
            table = parquet.read_table(path, columns=list(found.values()))
        elif path.suffix in {".csv", ".tsv"}:
            table, found = _read_csv(path, mapping)
        else:
            raise DataError(f"{path} is neither .parquet nor .csv nor .tsv.", hint="Convert or rename it.")
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path} cannot be read: {reason}.", hint="Is it what its name says?") from error
    return {field: Column(str(path), name, table.column(name).to_pylist()) for field, name in found.items()}


def _read_csv(path: Path, mapping: ColumnMapping) -> tuple[pa.Table, dict[str, str]]:
    """All cells as text, so that the checks see what the person wrote."""
    parsing = csv.ParseOptions(delimiter="\t" if path.suffix == ".tsv" else ",", newlines_in_values=True)
    with csv.open_csv(path, parse_options=parsing) as reader:
        names = reader.schema.names
    found = mapping.resolve(names, str(path))
    as_text = csv.ConvertOptions(
        include_columns=list(found.values()),
        column_types={name: pa.string() for name in found.values()},
        strings_can_be_null=False,
    )
    return csv.read_csv(path, parse_options=parsing, convert_options=as_text), found
