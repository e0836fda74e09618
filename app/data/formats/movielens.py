"""MovieLens as GroupLens publishes it: `ratings.dat` and `movies.dat` (1M, 10M), or the same as csv (20M and newer)."""

import csv
import io
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from app.contracts.catalog import CatalogItem
from app.data.columns import numbers, whole_numbers
from app.data.films import film
from app.data.formats.raw import Amounts, RawLog, batch, nothing_known
from app.data.formats.text import Layout, delimited, no_line, open_bytes, plain_or_packed
from app.data.times import times_ms
from app.interests.state import Kind

_COLUMNS: Final = ("userId", "movieId", "rating", "timestamp")
# "::" read as two separators with nothing between them.
_DAT: Final = Layout(
    wanted=_COLUMNS,
    delimiter=":",
    names=("userId", "", "movieId", "", "rating", "", "timestamp"),
    example="1::1193::5::978300760",
)
_CSV: Final = Layout(wanted=_COLUMNS, example="1,296,5.0,1147880044")
_DAT_CELLS: Final = 3

Films = Callable[[], tuple[CatalogItem, ...]]


def open_dat(path: Path) -> RawLog:
    """`ratings.dat`, or the folder it lies in; films from `movies.dat` beside it, if it is there."""
    ratings = plain_or_packed(path / "ratings.dat") if path.is_dir() else path
    return _open(ratings, _DAT, plain_or_packed(ratings.with_name("movies.dat")), _films_of_dat)


def open_csv(path: Path) -> RawLog:
    """`ratings.csv`, or the folder it lies in; films from `movies.csv` beside it, if it is there."""
    ratings = plain_or_packed(path / "ratings.csv") if path.is_dir() else path
    return _open(ratings, _CSV, plain_or_packed(ratings.with_name("movies.csv")), _films_of_csv)


def _open(ratings: Path, layout: Layout, films: Path, read: Callable[[Path], tuple[CatalogItem, ...]]) -> RawLog:
    if not films.is_file():
        return RawLog(files=(ratings,), batches=_batches(ratings, layout), catalog=nothing_known)
    return RawLog(files=(ratings, films), batches=_batches(ratings, layout), catalog=partial(_catalog, read, films))


def _catalog(
    read: Callable[[Path], tuple[CatalogItem, ...]], path: Path, _touched: Collection[str]
) -> tuple[CatalogItem, ...]:
    """Every film, also those that nobody rated."""
    return read(path)


def _batches(path: Path, layout: Layout) -> Iterator[pa.RecordBatch]:
    for columns in delimited(path, layout):
        yield batch(
            users=whole_numbers(columns["userId"]),
            items=whole_numbers(columns["movieId"]),
            ts_ms=times_ms(columns["timestamp"]),
            kinds=np.full(len(columns["userId"].values), Kind.RATE, dtype=np.int8),
            amounts=Amounts(ratings=numbers(columns["rating"])),
        )


def _films_of_dat(path: Path) -> tuple[CatalogItem, ...]:
    """`1::Toy Story (1995)::Animation|Children's|Comedy`; Latin-1 in 1M, UTF-8 in 10M."""
    with open_bytes(path) as handle:
        raw = handle.read()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    films: list[CatalogItem] = []
    for number, line in enumerate(text.splitlines(), start=1):
        cells = line.split("::")
        if line and len(cells) != _DAT_CELLS:
            raise no_line(path, number, line, "id::title::genres")
        if line:
            films.append(film(cells[0], cells[1], cells[2].split("|")))
    return tuple(films)


def _films_of_csv(path: Path) -> tuple[CatalogItem, ...]:
    """`1,Toy Story (1995),Adventure|Animation`; titles with commas stand in quotes."""
    films: list[CatalogItem] = []
    with open_bytes(path) as handle, io.TextIOWrapper(handle, encoding="utf-8-sig", newline="") as text:
        rows = csv.DictReader(text)
        for row in rows:
            if not row.get("movieId") or row.get("title") is None or row.get("genres") is None:
                raise no_line(path, rows.line_num, str(row), "movieId,title,genres")
            films.append(film(row["movieId"], row["title"], row["genres"].split("|")))
    return tuple(films)
