"""Parquet and CSV files with any columns: their names, and batches of some of them.

Of a CSV file every cell is text, so that the checks see what the person wrote.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pyarrow as pa
from pyarrow import csv, parquet

from app.data.columns import Column, RowNumber
from app.data.formats.text import Layout, delimited
from app.errors import DataError

ENDINGS: Final = (".parquet", ".csv", ".tsv", ".csv.gz", ".tsv.gz")
_BATCH_ROWS: Final = 1 << 18


def is_table(path: Path) -> bool:
    """By its name."""
    return path.name.endswith(ENDINGS)


def table_files(path: Path) -> tuple[Path, ...]:
    """The file, or the tables of a folder in the order of their names, as Spark writes them.

    Raises:
        DataError: there is none.
    """
    if path.is_file() and is_table(path):
        return (path,)
    found = tuple(one for one in sorted(path.iterdir()) if is_table(one)) if path.is_dir() else ()
    if not found:
        what = f"{path} is no table" if path.is_file() else f"There is no table {path}"
        raise DataError(f"{what}: none of {', '.join(ENDINGS)}.", hint="Convert or rename it.")
    return found


def column_names(path: Path) -> list[str]:
    """What the file's columns are called.

    Raises:
        DataError: it cannot be read.
    """
    with _readable(path):
        if path.suffix == ".parquet":
            names: list[str] = parquet.read_schema(path).names
            return names
        # Rows are for `column_batches` to complain of.
        parsing = csv.ParseOptions(
            delimiter=_delimiter(path), newlines_in_values=True, invalid_row_handler=lambda _row: "skip"
        )
        with csv.open_csv(path, parse_options=parsing) as reader:
            names = reader.schema.names
            return names


def column_batches(path: Path, fields: Mapping[str, str]) -> Iterator[dict[str, Column]]:
    """Batches of the file, field -> column.

    Args:
        path: the file.
        fields: field -> the name of its column.

    Raises:
        DataError: it cannot be read.
    """
    if path.suffix == ".parquet":
        yield from _parquet_batches(path, fields)
        return
    layout = Layout(wanted=tuple(fields.values()), delimiter=_delimiter(path), quoted=True)
    for columns in delimited(path, layout):
        yield {field: columns[name] for field, name in fields.items()}


def _parquet_batches(path: Path, fields: Mapping[str, str]) -> Iterator[dict[str, Column]]:
    before = 0
    with _readable(path):
        for batch in parquet.ParquetFile(path).iter_batches(_BATCH_ROWS, columns=list(fields.values())):
            where = RowNumber(before)
            yield {field: Column(str(path), name, batch.column(name), where) for field, name in fields.items()}
            before += batch.num_rows


def _delimiter(path: Path) -> str:
    return "\t" if ".tsv" in path.suffixes else ","


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path} cannot be read: {reason}.", hint="Is it what its name says?") from error
