"""RecBole's atomic files, in which dozens of public data sets circulate: tab-separated, the header names and types.

`user_id:token  item_id:token  rating:float  timestamp:float`; items in the `.item` file beside it.
"""

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from app.contracts.catalog import CatalogItem
from app.data.columns import ids, numbers
from app.data.formats.raw import Amounts, RawLog, batch, nothing_known
from app.data.formats.text import Layout, delimited, head
from app.data.times import times_ms
from app.errors import DataError
from app.interests.state import Kind

# How the hub's data sets call what we want, the usual name first.
_LOG_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "user": ("user_id", "session_id"),
    "item": ("item_id",),
    "time": ("timestamp", "time"),
    "rating": ("rating", "stars"),
}
_ITEM_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "item": ("item_id",),
    "title": ("title", "movie_title", "book_title", "item_name", "name"),
    "category": ("categories", "class", "genre", "genres", "category"),
    "brand": ("brand",),
}
_REQUIRED: Final = frozenset({"user", "item", "time"})


def open_recbole(path: Path) -> RawLog:
    """A `.inter` file, or the folder with one.

    Raises:
        DataError: there is none, or a column is missing.
    """
    log = next(iter(sorted(path.glob("*.inter"))), path / "?.inter") if path.is_dir() else path
    columns = _columns(log, _LOG_NAMES)
    if missing := sorted(_REQUIRED - columns.keys()):
        raise DataError(
            f"{log} has no column for the {missing[0]}: {' or '.join(_LOG_NAMES[missing[0]])}.",
            hint="Is it an atomic file of interactions with times?",
        )
    items = log.with_suffix(".item")
    known = items.is_file() and {"item", "title"} <= _columns(items, _ITEM_NAMES).keys()
    return RawLog(
        files=(log, items) if known else (log,),
        batches=_batches(log, columns),
        catalog=partial(_catalog, items) if known else nothing_known,
    )


def _batches(path: Path, names: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
    for columns in delimited(path, Layout(wanted=tuple(names.values()), delimiter="\t")):
        rows = len(columns[names["user"]].values)
        has_stars = "rating" in names
        yield batch(
            users=ids(columns[names["user"]]),
            items=ids(columns[names["item"]]),
            ts_ms=times_ms(columns[names["time"]]),
            kinds=np.full(rows, Kind.RATE if has_stars else Kind.VIEW, dtype=np.int8),
            amounts=Amounts(ratings=numbers(columns[names["rating"]]) if has_stars else None),
        )


def _catalog(path: Path, touched: Collection[str]) -> tuple[CatalogItem, ...]:
    """The touched items, in the file's order; a sequence of tokens is separated by blanks."""
    names = _columns(path, _ITEM_NAMES)
    found: dict[str, CatalogItem] = {}
    for columns in delimited(path, Layout(wanted=tuple(names.values()), delimiter="\t")):
        cells = {field: columns[name].cells() for field, name in names.items()}
        for row, item_id in enumerate(cells["item"]):
            if item_id in touched and item_id not in found:
                known = {field: values[row].strip() for field, values in cells.items()}
                found[item_id] = CatalogItem(
                    item_id=item_id,
                    title=known["title"] or item_id,
                    category=tuple(known.get("category", "").split()),
                    brand=known.get("brand", ""),
                )
    return tuple(found.values())


def _columns(path: Path, wanted: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Field -> the column's name with its type, of the fields that are there."""
    lines = head(path, lines=1)
    present = {name.split(":")[0]: name for name in (lines[0].split("\t") if lines else ())}
    found = (
        (field, next((present[name] for name in names if name in present), None)) for field, names in wanted.items()
    )
    return {field: column for field, column in found if column is not None}
