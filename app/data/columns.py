"""The cells of one column of somebody's file, checked: every error names the file, the column and the row.

Rows are counted from 1, without the header.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.errors import DataError

MAX_ID_LENGTH: Final = 256
LATEST_MS: Final = 32_503_680_000_000  # the year 3000, as in app.contracts.events
# Epoch numbers below this are seconds: as milliseconds they would lie before April 1973.
_SECONDS_BELOW: Final = 1e11

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Column:
    """One column as Python values; a CSV file gives text only. Empty text counts as missing."""

    source: str
    name: str
    values: list[Any]

    def error(self, row: int, wanted: str) -> DataError:
        """What to raise about the cell in this row (from 0)."""
        got = "nothing" if self.is_missing(row) else repr(self.values[row])[:80]
        return DataError(
            f"{self.source} row {row + 1}, column {self.name!r}: got {got}, wanted {wanted}.",
            hint="Mend or remove the row.",
        )

    def is_missing(self, row: int) -> bool:
        """Nothing is there."""
        value = self.values[row]
        return value is None or value == "" or value != value  # noqa: PLR0124 - only NaN differs from itself

    def converted(self, convert: Callable[[Any], T], wanted: str) -> list[T]:
        """Every cell converted; the first that is missing or cannot be is the error."""
        return [self._one(row, convert, wanted) for row in range(len(self.values))]

    def optional(self, convert: Callable[[Any], T], wanted: str) -> list[T | None]:
        """As `converted`, with None where a cell is missing."""
        rows = range(len(self.values))
        return [None if self.is_missing(row) else self._one(row, convert, wanted) for row in rows]

    def _one(self, row: int, convert: Callable[[Any], T], wanted: str) -> T:
        if self.is_missing(row):
            raise self.error(row, wanted)
        try:
            return convert(self.values[row])
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise self.error(row, wanted) from error


def ids(column: Column) -> list[str]:
    """The cells as ids."""
    return column.converted(_identifier, f"an id of 1 to {MAX_ID_LENGTH} characters")


def numbers(column: Column) -> NDArray[np.float32]:
    """The cells as numbers, NaN where nothing is."""
    values = column.optional(_finite, "a number")
    return np.array([np.nan if value is None else value for value in values], dtype=np.float32)


def times_ms(column: Column) -> NDArray[np.int64]:
    """The cells as milliseconds since 1970: epoch seconds or milliseconds, ISO 8601, or timestamps.

    Seconds and milliseconds are told apart by the column's largest value; a time without a zone is UTC.
    """
    wanted = "epoch seconds, epoch milliseconds or an ISO 8601 time"
    moments = column.converted(_moment, wanted)
    unit = 1_000 if max((abs(one) for one in moments if isinstance(one, float)), default=0) < _SECONDS_BELOW else 1
    result = [_to_ms(moment, unit) for moment in moments]
    for row, ts_ms in enumerate(result):
        if not 0 <= ts_ms <= LATEST_MS:
            raise column.error(row, "a time from 1970 to 3000")
    return np.array(result, dtype=np.int64)


def words(values: Iterable[Any]) -> tuple[str, ...]:
    """A list, or text split at `|` or `>`, as trimmed words."""
    parts = values.replace(">", "|").split("|") if isinstance(values, str) else values
    return tuple(str(part).strip() for part in parts if str(part).strip())


def _identifier(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # what pandas makes of an integer column with a hole
    text = str(value)
    if not 1 <= len(text) <= MAX_ID_LENGTH:
        raise ValueError(text)
    return text


def _finite(value: Any) -> float:
    number = float(value)
    if not np.isfinite(number):
        raise ValueError(value)
    return number


def _moment(value: Any) -> float | datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, str):
        try:
            return _finite(value)
        except ValueError:
            return datetime.fromisoformat(value)
    if isinstance(value, bool):
        raise ValueError(value)
    return _finite(value)


def _to_ms(moment: float | datetime, unit: int) -> int:
    if isinstance(moment, datetime):
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return round(aware.timestamp() * 1_000)
    return round(moment * unit)
