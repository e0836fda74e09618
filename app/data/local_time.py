"""The clock on the shop's wall: logs are in UTC, habits are not."""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from app.errors import DataError

_MS_PER_S: Final = 1_000
_QUARTER_MS: Final = 900_000  # every zone's offset, and every change of one since 1972, falls on a quarter of an hour
MS_PER_HOUR: Final = 3_600_000
MS_PER_DAY: Final = 86_400_000
_MONDAY: Final = 4  # the days since 1970, a Thursday, to the first Monday
DAYS_PER_WEEK: Final = 7


def local_ms(ts_ms: NDArray[np.int64], zone: str) -> NDArray[np.int64]:
    """(E,) milliseconds since 1970 on the wall clock of this IANA zone: UTC plus its offset, summer time included.

    Divide by `MS_PER_DAY` for the local day; the rest by `MS_PER_HOUR` for the hour. Not for sorting: one hour of
    the autumn happens twice.

    Raises:
        DataError: this machine knows no such zone.
    """
    try:
        clock = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise DataError(f"There is no time zone {zone!r} here.", hint="Is it an IANA name, is tzdata there?") from error
    quarters, which = np.unique(ts_ms // _QUARTER_MS, return_inverse=True)
    offsets = [_offset_ms(int(quarter) * _QUARTER_MS, clock) for quarter in quarters]
    return ts_ms + np.array(offsets, dtype=np.int64)[which]


def local_days(ts_ms: NDArray[np.int64], zone: str) -> NDArray[np.int64]:
    """(E,) days since 1970 on the wall calendar of this zone."""
    return local_ms(ts_ms, zone) // MS_PER_DAY


def weekdays(days: NDArray[np.int64]) -> NDArray[np.int64]:
    """(E,) 0 for Monday to 6 for Sunday, of days since 1970."""
    return (days - _MONDAY) % DAYS_PER_WEEK


def _offset_ms(utc_ms: int, clock: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(utc_ms / _MS_PER_S, UTC).astimezone(clock).utcoffset()
    return round(offset.total_seconds() * _MS_PER_S) if offset is not None else 0
