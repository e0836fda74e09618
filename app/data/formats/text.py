"""Delimited text and JSON lines, plain or gzipped, read in blocks; whatever is wrong is told with its line."""

import gzip
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import pyarrow as pa
from pyarrow import csv
from pyarrow import json as arrow_json

from app.data.columns import Column, RowNumber
from app.errors import DataError

_BLOCK_BYTES: Final = 16 << 20  # a line must fit into one
_HEAD_BYTES: Final = 1 << 16
_SHOWN: Final = 80


@dataclass(frozen=True, slots=True)
class Layout:
    """How a delimited file is laid out.

    Args:
        wanted: the columns to read; they must be there.
        delimiter: one character.
        names: the columns of a file without a header.
        quoted: cells may stand in double quotes, with the delimiter or a line end in them; whether the wanted
            columns are there has been looked at.
        example: a line as it should be, for messages.
    """

    wanted: tuple[str, ...]
    delimiter: str = ","
    names: tuple[str, ...] | None = None
    quoted: bool = False
    example: str = ""


def delimited(path: Path, layout: Layout) -> Iterator[dict[str, Column]]:
    """Batches of the wanted columns, all cells as text.

    Raises:
        DataError: the file cannot be read, a column is missing, or a line has more or fewer cells than the others.
    """
    odd: list[csv.InvalidRow] = []

    def refuse(row: csv.InvalidRow) -> str:
        odd.append(row)
        return "error"

    parsing = csv.ParseOptions(
        delimiter=layout.delimiter,
        quote_char='"' if layout.quoted else False,
        newlines_in_values=layout.quoted,
        invalid_row_handler=refuse,
    )
    reading = csv.ReadOptions(block_size=_BLOCK_BYTES, column_names=layout.names)
    converting = csv.ConvertOptions(
        include_columns=list(dict.fromkeys(layout.wanted)),  # two fields may be of one column
        column_types={name: pa.string() for name in layout.wanted},
        strings_can_be_null=False,
    )
    if layout.names is None and not layout.quoted and path.is_file():
        _check_header(path, layout)
    first = 0
    with _readable(path, layout, odd), csv.open_csv(path, reading, parsing, converting) as batches:
        for batch in batches:
            # Where a cell may hold a line end, rows can be counted and lines cannot.
            place = RowNumber(first) if layout.quoted else _Lines(path, skipped=first + (layout.names is None))
            yield {name: Column(str(path), name, batch.column(name), place) for name in batch.schema.names}
            first += batch.num_rows


def json_lines(path: Path, fields: pa.Schema, line_type: type) -> Iterator[pa.RecordBatch]:
    """Batches of these fields; all other fields are skipped unread.

    Args:
        path: one JSON object a line.
        fields: Arrow's types of what is wanted.
        line_type: the same as a `msgspec.Struct`: it finds the line that does not fit. What it calls optional may be
            null in a batch.

    Raises:
        DataError: the file cannot be read, or a line is no such object.
    """
    required = [field.encode_name for field in msgspec.structs.fields(line_type) if field.required]
    parsing = arrow_json.ParseOptions(explicit_schema=fields, unexpected_field_behavior="ignore")
    reading = arrow_json.ReadOptions(block_size=_BLOCK_BYTES)
    try:
        with pa.input_stream(str(path)) as stream:
            for batch in arrow_json.open_json(stream, read_options=reading, parse_options=parsing):
                if any(batch.column(name).null_count for name in required):
                    blame(path, line_type)
                yield batch
    except (pa.ArrowInvalid, OSError) as error:
        blame(path, line_type)
        raise _unreadable(path, error) from error


def blame(path: Path, line_type: type) -> None:
    """Read line by line until one does not fit.

    Raises:
        DataError: one does not.
    """
    decoder: msgspec.json.Decoder[object] = msgspec.json.Decoder(line_type)
    try:
        with open_bytes(path) as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    _decode(decoder, line, path, number)
    except (OSError, EOFError) as error:
        raise _unreadable(path, error) from error


def line_number(path: Path, row: int) -> int:
    """The number, from 1, of the file's `row`-th line that is not empty (from 0)."""
    filled = -1
    with open_bytes(path) as lines:
        for number, line in enumerate(lines, start=1):
            filled += bool(line.strip())
            if filled == row:
                return number
    return row + 1


def plain_or_packed(path: Path) -> Path:
    """The file, or its gzipped form where that alone is there."""
    packed = path.with_name(f"{path.name}.gz")
    return packed if packed.is_file() and not path.is_file() else path


@contextmanager
def open_bytes(path: Path) -> Iterator[gzip.GzipFile | io.BufferedReader]:
    """The file's bytes, unpacked where its name ends in .gz."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as handle:
        yield handle


def head(path: Path, lines: int = 20) -> tuple[str, ...]:
    """The first lines of a text file without their ends, long ones in pieces; nothing where it is no text."""
    try:
        with open_bytes(path) as handle:
            found = [line for _ in range(lines) if (line := handle.readline(_HEAD_BYTES))]
    except (OSError, EOFError):
        return ()
    if any(b"\0" in line for line in found):
        return ()
    return tuple(line.decode("utf-8-sig", errors="replace").rstrip("\r\n") for line in found)


def no_line(path: Path, number: int, got: str, wanted: str) -> DataError:
    """What to raise about a line that does not fit."""
    return DataError(f"{path} line {number}: got {got[:_SHOWN]!r}, wanted {wanted}.", hint="Mend or remove the line.")


@dataclass(frozen=True, slots=True)
class _Lines:
    """Says on which line a row of a batch stands; looks for it only when it is asked, by counting."""

    path: Path
    skipped: int

    def __call__(self, row: int) -> str:
        return f"line {line_number(self.path, self.skipped + row)}"


@contextmanager
def _readable(path: Path, layout: Layout, odd: Sequence[csv.InvalidRow]) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
        if odd:
            number = _line_like(path, odd[0].text)
            cells = f"{odd[0].expected_columns} cells, there are {odd[0].actual_columns}"
            wanted = f"a line like {layout.example}" if layout.example else cells
            raise no_line(path, number, odd[0].text, wanted) from error
        raise _unreadable(path, error) from error


def _check_header(path: Path, layout: Layout) -> None:
    lines = head(path, lines=1)
    present = [name.strip() for name in lines[0].split(layout.delimiter)] if lines else []
    if missing := [name for name in layout.wanted if name not in present]:
        raise DataError(
            f"{path} has no column {missing[0]!r}; it has {', '.join(present) or 'none'}.",
            hint="Is it the right file? For a file of your own say --format table --map user=...,item=...,ts=...",
        )


def _line_like(path: Path, text: str) -> int:
    with open_bytes(path) as lines:
        for number, line in enumerate(lines, start=1):
            if line.decode(errors="replace").rstrip("\r\n") == text.split("\n", maxsplit=1)[0].rstrip("\r"):
                return number
    return 0


def _decode(decoder: msgspec.json.Decoder[object], line: bytes, path: Path, number: int) -> None:
    try:
        decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise no_line(path, number, line.decode(errors="replace").strip(), f"another object: {error}") from error


def _unreadable(path: Path, error: Exception) -> DataError:
    reason = " ".join(str(error).split())
    return DataError(f"{path} cannot be read: {reason}.", hint="Is it what its name says, and whole?")
