"""A column of times says the same, whichever way it is written."""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from app.data.columns import Column
from app.data.times import times_ms
from app.errors import DataError


def told(*cells: Any) -> list[datetime]:
    return [datetime.fromtimestamp(ms / 1_000, UTC) for ms in times_ms(Column("f", "ts", pa.array(cells)))]


JANUARY, LEAP_DAY = datetime(2024, 1, 31, tzinfo=UTC), datetime(2024, 2, 29, tzinfo=UTC)


@pytest.mark.parametrize(
    "cells",
    [
        pytest.param((20240131, 20240229), id="numbers"),
        pytest.param((20240131.0, 20240229.0), id="numbers with a point, as pandas writes a column with a hole"),
        pytest.param(("20240131", "20240229"), id="text"),
        pytest.param(("20240131", "2024-02-29"), id="mixed with others"),
        pytest.param((202401310000, 202402290000), id="with minutes"),
        pytest.param((20240131000000, 20240229000000), id="with seconds"),
        pytest.param((1706659200, 1709164800), id="epoch seconds"),
        pytest.param((1706659200000, 1709164800000), id="epoch milliseconds"),
    ],
)
def test_a_date_is_that_day(cells: tuple[Any, ...]) -> None:
    assert told(*cells) == [JANUARY, LEAP_DAY]


def test_a_time_of_day_is_kept() -> None:
    evening = datetime(2024, 1, 31, 18, 59, tzinfo=UTC)
    assert told(202401311859) == [evening]
    assert told(20240131185907) == [evening.replace(second=7)]


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(20230229, id="no such day"),
        pytest.param(20241301, id="no such month"),
        pytest.param(20240100, id="day zero"),
        pytest.param(20240131.5, id="half a second"),
        pytest.param(21010101, id="too late for a date"),
        pytest.param(5, id="a second"),
    ],
)
def test_where_one_is_no_date_all_are_seconds(odd: float) -> None:
    assert told(20240131, odd) == [datetime.fromtimestamp(20240131, UTC), datetime.fromtimestamp(odd, UTC)]


@pytest.mark.parametrize("odd", [202401312400, 202401311860])
def test_where_one_is_no_time_of_day_all_are_milliseconds(odd: int) -> None:
    assert [moment.year for moment in told(202401310000, odd)] == [1976, 1976]


@pytest.mark.parametrize("cell", [-1, 4e13, "9e20", "1969-12-31"])
def test_what_is_outside_is_refused(cell: Any) -> None:
    with pytest.raises(DataError, match="a time from 1970 to 3000"):
        told(cell)


def test_one_impossible_date_among_dates_is_told() -> None:
    with pytest.raises(DataError, match="20240230"):
        told(20240131, 20240229, 20240230)
