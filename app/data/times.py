"""A column of times, whichever way they are written, as milliseconds since 1970."""

from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from app.data.columns import Column, as_floats, finite, plain

LATEST_MS: Final = 32_503_680_000_000  # the year 3000, as in app.contracts.events
# Epoch numbers below this are seconds: as milliseconds they would lie before April 1973.
_SECONDS_BELOW: Final = 1e11
_MS_PER_S: Final = 1_000
_FIRST_DATE: Final = 1970_01_01
_LAST_DATE: Final = 2100_12_31


def times_ms(column: Column) -> NDArray[np.int64]:
    """The cells as milliseconds since 1970: epoch seconds or milliseconds, ISO 8601, or timestamps.

    Seconds and milliseconds are told apart by the largest value; a time without a zone is UTC. Numbers that are
    dates, with or without a time of day, are these (ISO 8601, basic format, without its T): seconds like these would
    all lie in August 1970, milliseconds in a few months of 1976 or beyond the year 2500.
    """
    result = _quick_times(column)
    if result is None:
        wanted = "epoch seconds, epoch milliseconds or an ISO 8601 time"
        moments = column.converted(_moment, wanted)
        numbers = [one for one in moments if isinstance(one, float)]
        told = iter(_numbers_ms(np.array(numbers, dtype=np.float64)).tolist())
        whole = [_to_ms(one) if isinstance(one, datetime) else next(told) for one in moments]
        result = np.array(whole, dtype=np.int64)
    outside = (result < 0) | (result > LATEST_MS)
    if outside.any():
        raise column.error(int(outside.argmax()), "a time from 1970 to 3000")
    return result


def _quick_times(column: Column) -> NDArray[np.int64] | None:
    """The whole column at once, where it is all numbers or all alike timestamps; None where it is not."""
    if column.values.null_count or not len(column.values):
        return None
    floats = as_floats(column)
    if floats is not None:
        if not np.isfinite(floats).all():
            return None
        return _numbers_ms(floats)
    values = plain(column.values)
    for kind in (pa.timestamp("us", "UTC"), pa.timestamp("us")):
        try:
            moments = values.cast(kind)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            continue
        result: NDArray[np.int64] = moments.cast(pa.int64()).to_numpy() // 1_000
        return result
    return None


def _numbers_ms(numbers: NDArray[np.float64]) -> NDArray[np.int64]:
    """Numbers as milliseconds since 1970; -1 or `LATEST_MS` + 1 for what lies far outside."""
    dates = _calendar_ms(numbers)
    if dates is not None:
        return dates
    unit = _MS_PER_S if np.abs(numbers).max(initial=0.0) < _SECONDS_BELOW else 1
    return np.clip(np.rint(numbers * unit), -1, LATEST_MS + 1).astype(np.int64)


def _calendar_ms(numbers: NDArray[np.float64]) -> NDArray[np.int64] | None:
    """YYYYMMDD, YYYYMMDDhhmm or YYYYMMDDhhmmss as milliseconds since 1970, -1 for one that is in no calendar.

    None where most of them are no such times.
    """
    for below_a_day, seconds in ((1, False), (10_000, False), (1_000_000, True)):
        first, last = _FIRST_DATE * below_a_day, _LAST_DATE * below_a_day + below_a_day - 1
        if len(numbers) and first <= numbers.min() and numbers.max() <= last:
            days, within = np.divmod(numbers.astype(np.int64), below_a_day)
            whole_minutes, second = np.divmod(within, 100) if seconds else (within, np.zeros_like(within))
            hour, minute = np.divmod(whole_minutes, 100)
            date, is_date = _date(days)
            well = is_date & (hour < 24) & (minute < 60) & (second < 60) & (numbers == np.rint(numbers))  # noqa: PLR2004  # a day's
            if 2 * well.sum() <= len(numbers):  # chance
                return None
            return np.where(well, ((date * 24 + hour) * 60 + minute) * 60_000 + second * _MS_PER_S, -1)
    return None


def _date(numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """YYYYMMDD as days since 1970, and which of them are in the calendar."""
    months, day = np.divmod(numbers, 100)
    year, month = np.divmod(months, 100)
    first = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    date = first.astype("datetime64[D]") + (day - 1)
    well = (month >= 1) & (month <= 12) & (day >= 1) & (date.astype("datetime64[M]") == first)  # noqa: PLR2004  # a year's
    return date.astype(np.int64), well


def _moment(value: Any) -> float | datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, str):
        try:
            return finite(value)
        except ValueError:
            return datetime.fromisoformat(value)
    if isinstance(value, bool):
        raise ValueError(value)
    return finite(value)


def _to_ms(moment: datetime) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(aware.timestamp() * _MS_PER_S)
