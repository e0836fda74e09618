"""A topic that is read again from an earlier place is not counted again."""

import logging

import pytest

from app.contracts.events import Forget, View
from app.data.popularity import MS_PER_DAY
from app.interests.intake import IntakeLimits
from model_server.popularity.replays import Replays
from model_server.popularity.told import told_by
from tests.support.events import NOON_MS, Record, record

LIMITS = IntakeLimits(max_event_bytes=10_000, max_future_ms=MS_PER_DAY)


class Reading:
    def __init__(self) -> None:
        self._replays = Replays()

    def read(self, offset: int, *items: str, partition: int = 0) -> list[str]:
        """The items that are new, of views of "a1", "a2", ...: a at millisecond 1, 2, ..."""
        views = [View(event_id=item, user_id="ada", ts_ms=int(item[1:]), item_id=item) for item in items]
        return self.take(partition, [record(view, offset + place) for place, view in enumerate(views)])

    def take(self, partition: int, records: list[Record]) -> list[str]:
        told = self._replays.without(partition, records, told_by(records, LIMITS), NOON_MS)
        return [touch.item_id for touch in told.touches]


def test_what_is_read_again_is_known_until_something_newer_comes(caplog: pytest.LogCaptureFixture) -> None:
    reading = Reading()
    assert reading.read(0, "a1", "a3", "a2") == ["a1", "a3", "a2"]
    assert reading.read(3, "a1") == ["a1"]  # late, not again
    assert not caplog.records
    assert reading.read(0, "a1", "a3") == []
    assert "goes on at 0 instead of 4" in caplog.text
    assert reading.read(2, "a2", "a1", "b4") == ["b4"]
    assert reading.read(5, "b2") == ["b2"]


def test_a_topic_made_anew_with_new_events_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    reading = Reading()
    reading.read(700, "a1", "a2")
    assert reading.read(0, "b3", "b5") == ["b3", "b5"]
    assert reading.read(0, "c1", partition=1) == ["c1"]
    assert reading.read(900, "c6") == ["c6"]  # skipped ahead
    assert len(caplog.records) == 1


def test_an_event_from_the_future_does_not_make_what_comes_look_known() -> None:
    reading = Reading()
    reading.read(0, f"a{NOON_MS + 5_000}")
    assert reading.read(0, f"b{NOON_MS + 1}") == [f"b{NOON_MS + 1}"]


def test_who_wants_to_be_forgotten_is_forgotten_again() -> None:
    replays = Replays()
    records = [record(Forget(event_id="1", user_id="ada", ts_ms=1))]
    for _ in range(2):
        assert replays.without(0, records, told_by(records, LIMITS), NOON_MS).forgotten == ["ada"]
