"""Wall clocks, summer time included."""

from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray

from app.data.local_time import MS_PER_HOUR, local_days, local_ms, weekdays
from app.errors import DataError

NEW_YORK = "America/New_York"


def utc(*moments: tuple[int, ...]) -> NDArray[np.int64]:
    whole = [datetime(*moment, tzinfo=UTC) for moment in moments]  # type: ignore[arg-type, misc]  # a date and a time
    return np.array([int(moment.timestamp() * 1_000) for moment in whole])


def test_hours_follow_the_clock_on_the_wall() -> None:
    moments = utc((2017, 3, 12, 6, 59), (2017, 3, 12, 7, 0), (2017, 11, 5, 5, 59), (2017, 11, 5, 6, 0))
    assert (local_ms(moments, NEW_YORK) // MS_PER_HOUR % 24).tolist() == [1, 3, 1, 1]


def test_days_change_at_local_midnight() -> None:
    moments = utc((2017, 1, 2, 4, 59), (2017, 1, 2, 5, 0), (2017, 7, 3, 3, 59), (2017, 7, 3, 4, 0))
    assert weekdays(local_days(moments, NEW_YORK)).tolist() == [6, 0, 6, 0]
    assert len(local_days(moments[:0], NEW_YORK)) == 0


def test_an_unknown_zone_is_named() -> None:
    with pytest.raises(DataError, match="no time zone 'Mars/Olympus'"):
        local_ms(utc((2017, 1, 1)), "Mars/Olympus")
