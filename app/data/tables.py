"""A user's own event log, Parquet or CSV, with the columns that the user names."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from app.contracts.catalog import CatalogItem
from app.data import columns
from app.data.columns import Column
from app.data.formats.raw import Amounts, RawLog, batch, nothing_known
from app.data.mapping import ATTRIBUTE, ColumnMapping
from app.data.table_files import column_batches, column_names, table_files
from app.data.times import times_ms
from app.errors import DataError
from app.interests.state import Kind

# Types of events that are no interaction with an item; their rows are left out.
_LEFT_OUT: Final = 0
_OTHER_TYPES: Final = ("forget", "identify", "impression", "search")
_KINDS: Final[dict[str, int]] = {kind.name.lower(): kind for kind in Kind} | dict.fromkeys(_OTHER_TYPES, _LEFT_OUT)


def open_table(path: Path, mapping: ColumnMapping) -> RawLog:
    """An event log of any columns, a file or a folder of such files; it says nothing of its items.

    Without a type column every row is a `rate` where there is a rating column, else a `view`.

    Raises:
        DataError: a file or a column is missing; from the batches, a cell is wrong; names file, column and row.
    """
    files = table_files(path)
    fields = {one: mapping.resolve(column_names(one), str(one)) for one in files}
    for one in files[1:]:
        if odd := sorted(fields[one].keys() ^ fields[files[0]].keys()):
            raise DataError(
                f"{one} and {files[0]} do not have the same columns: {', '.join(odd)} is in one of them only.",
                hint="Give all files of a folder the same columns.",
            )
    return RawLog(files=files, batches=_batches(fields), catalog=nothing_known)


def _batches(fields: Mapping[Path, dict[str, str]]) -> Iterator[pa.RecordBatch]:
    # Only in one file is an id sure to have one type from the first batch to the last.
    id_type = None if len(fields) == 1 else pa.large_string()
    for path, fields_of_file in fields.items():
        for table in column_batches(path, fields_of_file):
            users, items = (columns.ids(table[field]) for field in ("user", "item"))
            kinds = _kinds(table, rows=len(users))
            amounts = Amounts(
                ratings=columns.numbers(table["rating"]) if "rating" in table else None,
                quantities=columns.numbers(table["quantity"]) if "quantity" in table else None,
                baskets=columns.optional_ids(table["basket"]) if "basket" in table else None,
                places=columns.optional_ids(table["place"]) if "place" in table else None,
            )
            whole = batch(
                users=users.cast(id_type or users.type),
                items=items.cast(id_type or items.type),
                ts_ms=times_ms(table["ts"]),
                kinds=kinds,
                amounts=amounts,
            )
            yield whole.filter(pa.array(kinds != _LEFT_OUT))


def with_catalog(log: RawLog, path: Path, mapping: ColumnMapping) -> RawLog:
    """The log with the items that a file describes, also those that nobody touched."""
    return replace(log, files=(*log.files, *table_files(path)), catalog=partial(_catalog, path, mapping))


def read_catalog(path: Path, mapping: ColumnMapping) -> tuple[CatalogItem, ...]:
    """The catalog in the file's order.

    Raises:
        DataError: the file, a column or a cell is missing or wrong, or an item is there twice.
    """
    items: dict[str, CatalogItem] = {}
    for file in table_files(path):
        for table in column_batches(file, mapping.resolve(column_names(file), str(file))):
            cells = {field: column.cells() for field, column in table.items() if field != "item"}
            for row, item_id in enumerate(columns.ids(table["item"]).cast(pa.large_string()).to_pylist()):
                if item_id in items:
                    raise table["item"].error(row, "an id that is there once")
                known = {field: values[row] for field, values in cells.items() if not columns.is_missing(values[row])}
                items[item_id] = _catalog_item(item_id, known, f"{file} {table['item'].where(row)}")
    return tuple(items.values())


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
