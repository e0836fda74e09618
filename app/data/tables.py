"""A user's own event log, Parquet or CSV, with the columns that the user names."""

from collections.abc import Collection
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv, parquet

from app.contracts.catalog import CatalogItem
from app.data import columns
from app.data.columns import Column
from app.data.formats.raw import Amounts, RawLog, batch, nothing_known
from app.data.mapping import ATTRIBUTE, ColumnMapping
from app.errors import DataError
from app.interests.state import Kind

# Types of events that are no interaction with an item; their rows are left out.
_LEFT_OUT: Final = 0
_OTHER_TYPES: Final = ("forget", "identify", "impression", "search")
_KINDS: Final[dict[str, int]] = {kind.name.lower(): kind for kind in Kind} | dict.fromkeys(_OTHER_TYPES, _LEFT_OUT)


def open_table(path: Path, mapping: ColumnMapping) -> RawLog:
    """An event log of any columns; it says nothing of its items.

    Without a type column every row is a `rate` where there is a rating column, else a `view`.

    Raises:
        DataError: the file, a column or a cell is missing or wrong; names file, column and row.
    """
    table = _read_columns(path, mapping)
    users, items, ts_ms = columns.ids(table["user"]), columns.ids(table["item"]), columns.times_ms(table["ts"])
    kinds = _kinds(table, rows=len(ts_ms))
    amounts = Amounts(
        ratings=columns.numbers(table["rating"]) if "rating" in table else None,
        quantities=columns.numbers(table["quantity"]) if "quantity" in table else None,
        baskets=columns.optional_ids(table["basket"]) if "basket" in table else None,
        places=columns.optional_ids(table["place"]) if "place" in table else None,
    )
    whole = batch(users, items, ts_ms, kinds, amounts)
    return RawLog(files=(path,), batches=[whole.filter(pa.array(kinds != _LEFT_OUT))], catalog=nothing_known)


def with_catalog(log: RawLog, path: Path, mapping: ColumnMapping) -> RawLog:
    """The log with the items that a file describes, also those that nobody touched."""
    return replace(log, files=(*log.files, path), catalog=partial(_catalog, path, mapping))


def read_catalog(path: Path, mapping: ColumnMapping) -> tuple[CatalogItem, ...]:
    """The catalog in the file's order.

    Raises:
        DataError: the file, a column or a cell is missing or wrong, or an item is there twice.
    """
    table = _read_columns(path, mapping)
    item_ids = columns.ids(table["item"]).cast(pa.large_string()).to_pylist()
    cells = {field: column.cells() for field, column in table.items() if field != "item"}
    seen: set[str] = set()
    items: list[CatalogItem] = []
    for row, item_id in enumerate(item_ids):
        if item_id in seen:
            raise table["item"].error(row, "an id that is there once")
        seen.add(item_id)
        known = {field: values[row] for field, values in cells.items() if not columns.is_missing(values[row])}
        items.append(_catalog_item(item_id, known, f"{path} {columns.row_number(row)}"))
    return tuple(items)


def _catalog(path: Path, mapping: ColumnMapping, _touched: Collection[str]) -> tuple[CatalogItem, ...]:
    return read_catalog(path, mapping)


def _catalog_item(item_id: str, known: dict[str, Any], where: str) -> CatalogItem:
    """The item from the cells that are not empty, by field."""
    fields: dict[str, object] = {}
    attributes: dict[str, str] = {}
    for field, value in known.items():
        if field.startswith(ATTRIBUTE):
            attributes[field.removeprefix(ATTRIBUTE)] = str(value)
        elif field == "category":
            fields[field] = columns.words(value)
        else:
            fields[field] = float(value) if field == "price" and _is_number(value) else str(value)
    try:
        return msgspec.convert({"item_id": item_id, "title": item_id, **fields, "attributes": attributes}, CatalogItem)
    except msgspec.ValidationError as error:
        raise DataError(f"{where}: {error}.", hint="Mend or remove the row.") from error


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True


def _kinds(table: dict[str, Column], rows: int) -> NDArray[np.int8]:
    if "type" not in table:
        return np.full(rows, Kind.RATE if "rating" in table else Kind.VIEW, dtype=np.int8)
    return columns.kinds(table["type"], _KINDS)


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
    return {field: Column(str(path), name, table.column(name)) for field, name in found.items()}


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
