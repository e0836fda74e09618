"""The cells of one column of somebody's file, checked: every error names the file, the column and the place.

A whole column is converted at once where all is well; only where something is odd is it looked at cell by cell.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from app.errors import DataError

MAX_ID_LENGTH: Final = 256

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RowNumber:
    """Counts rows from 1, without the header; `before` rows of the file came in earlier batches."""

    before: int = 0

    def __call__(self, row: int) -> str:
        """Where this row (from 0) stands."""
        return f"row {self.before + row + 1}"


@dataclass(frozen=True, slots=True)
class Column:
    """One column, or a batch of it; text files give text only. Empty text counts as missing.

    Args:
        source: the file, for messages.
        name: the column's.
        values: the cells.
        where: says where in the file a row of these (from 0) stands.
    """

    source: str
    name: str
    values: pa.Array | pa.ChunkedArray
    where: Callable[[int], str] = RowNumber()

    def error(self, row: int, wanted: str) -> DataError:
        """What to raise about the cell in this row (from 0)."""
        value = plain(self.values.slice(row, 1)).to_pylist()[0]
        got = "nothing" if is_missing(value) else repr(value)[:80]
        return DataError(
            f"{self.source} {self.where(row)}, column {self.name!r}: got {got}, wanted {wanted}.",
            hint="Mend or remove the row.",
        )

    def cells(self) -> list[Any]:
        """The cells as Python values."""
        cells: list[Any] = plain(self.values).to_pylist()
        return cells

    def converted(self, convert: Callable[[Any], T], wanted: str) -> list[T]:
        """Every cell converted; the first that is missing or cannot be is the error."""
        return [self._one(row, cell, convert, wanted) for row, cell in enumerate(self.cells())]

    def optional(self, convert: Callable[[Any], T], wanted: str) -> list[T | None]:
        """As `converted`, with None where a cell is missing."""
        return [
            None if is_missing(cell) else self._one(row, cell, convert, wanted) for row, cell in enumerate(self.cells())
        ]

    def _one(self, row: int, cell: Any, convert: Callable[[Any], T], wanted: str) -> T:
        if is_missing(cell):
            raise self.error(row, wanted)
        try:
            return convert(cell)
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise self.error(row, wanted) from error


def is_missing(cell: Any) -> bool:
    """Nothing is there."""
    return cell is None or cell == "" or cell != cell  # noqa: PLR0124 - only NaN differs from itself


def ids(column: Column) -> pa.Array | pa.ChunkedArray:
    """The cells as ids: integers as they are, all else as text."""
    values = column.values
    if not values.null_count:
        if pa.types.is_integer(values.type):
            return values
        if _is_text(values):
            length = pc.min_max(pc.utf8_length(values)).as_py()
            if not len(values) or (length["min"] > 0 and length["max"] <= MAX_ID_LENGTH):
                return values.cast(pa.large_string())
    return pa.array(column.converted(_identifier, f"an id of 1 to {MAX_ID_LENGTH} characters"), pa.large_string())


def whole_numbers(column: Column) -> pa.Array:
    """The cells as 64-bit integers: ids of which it is known that they are numbers, in an eighth of the memory."""
    try:
        values = column.values.cast(pa.int64())
    except pa.ArrowInvalid:
        values = None
    if values is None or values.null_count:
        return pa.array(column.converted(int, "a whole number"), pa.int64())
    return values


def optional_ids(column: Column) -> pa.Array:
    """As `ids`, with null where a cell is missing."""
    return pa.array(column.optional(_identifier, f"an id of up to {MAX_ID_LENGTH} characters"), pa.large_string())


def numbers(column: Column) -> NDArray[np.float32]:
    """The cells as numbers, NaN where nothing is."""
    quick = as_floats(column)
    if quick is not None and not np.isinf(quick).any():
        return quick.astype(np.float32)
    values = column.optional(finite, "a number")
    return np.array([np.nan if value is None else value for value in values], dtype=np.float32)


def kinds(column: Column, names: dict[str, int]) -> NDArray[np.int8]:
    """The cells as the numbers of their names."""
    encoded = pc.dictionary_encode(column.values.cast(pa.string()))
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    found = [names.get(name) for name in encoded.dictionary.to_pylist()]
    if encoded.null_count or None in found:
        column.converted(names.__getitem__, f"one of {', '.join(names)}")
    numbers_of_names: NDArray[np.int8] = np.array(found, dtype=np.int8)
    result: NDArray[np.int8] = numbers_of_names[encoded.indices.to_numpy()]
    return result


def words(value: Any) -> tuple[str, ...]:
    """A list, or text split at `|` or `>`, as trimmed words; anything else is one word."""
    text = value.decode() if isinstance(value, bytes) else value
    parts = text.replace(">", "|").split("|") if isinstance(text, str) else text
    return tuple(word for part in (parts if isinstance(parts, list) else [parts]) if (word := _word(part)))


def _is_text(values: pa.Array | pa.ChunkedArray) -> bool:
    return bool(pa.types.is_string(values.type) or pa.types.is_large_string(values.type))


def as_floats(column: Column) -> NDArray[np.float64] | None:
    """The cells as floats, NaN where nothing is; None where they cannot be all at once, or say NaN in words."""
    values = column.values
    is_text = _is_text(values)
    if is_text:
        values = pc.if_else(pc.equal(values, ""), pa.scalar(None, values.type), values)
    elif not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        return None
    try:
        floats = values.cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    result: NDArray[np.float64] = np.asarray(floats.to_numpy(zero_copy_only=False), dtype=np.float64)
    said_nan = is_text and np.isnan(result).sum() != floats.null_count
    return None if said_nan else result


def plain(values: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Moments as Python has them: of nanoseconds, microseconds are left."""
    if pa.types.is_timestamp(values.type) and values.type.unit == "ns":
        return values.cast(pa.timestamp("us", values.type.tz), safe=False)
    return values


def _identifier(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # what pandas makes of an integer column with a hole
    if isinstance(value, bytes):
        value = value.decode()  # Parquet of writers that do not mark text as such
    if isinstance(value, list | dict):
        raise ValueError(value)  # a wrong cell, as others
    text = str(value)
    if not 1 <= len(text) <= MAX_ID_LENGTH:
        raise ValueError(text)
    return text


def _word(part: Any) -> str:
    return "" if part is None else str(part).strip()


def finite(value: Any) -> float:
    """The value as a number.

    Raises:
        ValueError: it is none, or infinite, or NaN.
    """
    number = float(value)
    if not np.isfinite(number):
        raise ValueError(value)
    return number
