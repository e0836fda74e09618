"""The event store: nothing lost, nothing twice, nothing of whom is forgotten, and no more than was agreed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from app.errors import StateError
from app.interests.intake import ReceivedEvent
from model_server.learning.manifest import MANIFEST
from model_server.learning.past import begin_with, past_items
from model_server.learning.store import EventStore, run_to_merge
from tests.support.learning import NOW_MS, PLENTY, Log, forget, hand_over, on_disk, rows_of, view
from tests.support.model import planted_dataset

DAY_MS = 86_400_000


class Killed(BaseException):
    """What a kill is in this process."""


def killed_at(step: str) -> Callable[[str], None]:
    def passing(now: str) -> None:
        if now == step:
            raise Killed

    return passing


@pytest.fixture
def store(tmp_path: Path) -> EventStore:
    return EventStore(tmp_path, PLENTY)


def test_events_are_there_after_a_restart_with_the_offset_to_go_on_from(tmp_path: Path, store: EventStore) -> None:
    Log(store, partition=2).happen(view("ann", "a", "1"), view("bob", "b", "2"))
    again = EventStore(tmp_path, PLENTY)
    assert rows_of(again) == [("ann", "a"), ("bob", "b")]
    assert again.manifest.offsets == {2: 2}


@pytest.mark.parametrize("step", ["segment written", "manifest written"])
def test_a_kill_while_publishing_leaves_rows_and_offsets_that_agree(tmp_path: Path, step: str) -> None:
    Log(EventStore(tmp_path, PLENTY)).happen(view("ann", "a", "1"))
    events = [ReceivedEvent(view("bob", "b", "2"), 1, NOW_MS)]
    dying = EventStore(tmp_path, PLENTY, killed_at(step))
    dying.take(0, events, 2, NOW_MS)
    with pytest.raises(Killed):
        dying.publish(NOW_MS)
    again = EventStore(tmp_path, PLENTY)
    assert len(rows_of(again)) == again.manifest.offsets[0]
    assert len(list(tmp_path.glob("*.parquet"))) == len(again.manifest.segments)


def test_an_event_sent_twice_is_kept_once_also_after_a_restart(tmp_path: Path, store: EventStore) -> None:
    Log(store).happen(view("ann", "a", "1"), view("ann", "a", "1"))
    again = EventStore(tmp_path, PLENTY)
    Log(again, partition=1).happen(view("ann", "a", "1"), view("bob", "a", "1"))
    assert rows_of(again) == [("ann", "a"), ("bob", "a")]


def test_who_is_forgotten_is_left_out_at_once_and_out_of_the_files_in_time(tmp_path: Path, store: EventStore) -> None:
    log = Log(store)
    log.happen(view("quite-unique", "a", "1"), view("bob", "b", "2"))
    log.happen(view("quite-unique", "c", "3"), forget("quite-unique"), view("quite-unique", "d", "4"))
    assert rows_of(store) == [("bob", "b"), ("quite-unique", "d")]  # who comes back begins anew
    log.happen(forget("quite-unique"))
    assert rows_of(store) == [("bob", "b")]
    assert b"quite-unique" in on_disk(tmp_path)
    store.publish(NOW_MS + 600_000)
    assert b"quite-unique" not in on_disk(tmp_path)
    assert rows_of(EventStore(tmp_path, PLENTY)) == [("bob", "b")]


def test_a_visitor_who_logs_in_keeps_what_was_done_and_is_forgotten_with_it(store: EventStore) -> None:
    log = Log(store)
    log.happen(view("guest", "a", "1"), view("ann", "b", "2"))
    log.happen(view("guest", "c", "3"), hand_over("guest", "ann"), view("guest", "d", "4"))
    assert rows_of(store) == [("ann", "a"), ("ann", "b"), ("ann", "c"), ("guest", "d")]
    log.happen(forget("ann"))
    assert rows_of(store) == [("guest", "d")]


@pytest.mark.parametrize("rewritten", [False, True])
def test_rows_that_were_handed_over_go_with_the_visitor_they_were_of(store: EventStore, rewritten: bool) -> None:
    log = Log(store)
    log.happen(view("guest", "a", "1"))
    log.happen(hand_over("guest", "ann"), view("ann", "b", "2"))
    if rewritten:
        store.publish(NOW_MS + 600_000)
        assert store.manifest.changes == ()
    log.happen(forget("guest"))  # what the agents send for every alias of a forgotten user
    assert rows_of(store) == [("ann", "b")]


def test_the_store_is_bounded_by_events_and_by_age(tmp_path: Path) -> None:
    few = Log(EventStore(tmp_path / "few", replace(PLENTY, events=3)))
    for number in range(8):
        few.happen(view("ann", f"{number}", f"{number}"))
    assert [item for _, item in rows_of(few.store)] == ["5", "6", "7"]
    young = Log(EventStore(tmp_path / "young", replace(PLENTY, age_days=1)))
    young.happen(view("ann", "old", "1", NOW_MS - 2 * DAY_MS))
    young.happen(view("ann", "new", "2"))
    assert rows_of(young.store) == [("ann", "new")]


def test_small_segments_become_one_and_nothing_changes(store: EventStore) -> None:
    log = Log(store)
    for number in range(50):
        log.happen(view("ann", f"{number}", f"{number}"))
    assert len(store.manifest.segments) < 10
    assert [item for _, item in rows_of(store)] == [f"{number}" for number in range(50)]


def test_a_row_is_merged_a_few_times_only() -> None:
    moved, segments = 0, list[int]()
    for _ in range(10_000):
        segments.append(1)
        start = run_to_merge(segments)
        if len(segments) - start >= 8:
            moved += sum(segments[start:])
            segments = [*segments[:start], sum(segments[start:])]
    assert moved < 14 * 10_000
    assert len(segments) < 30


def test_a_producer_whose_clock_is_years_ahead_empties_no_store(tmp_path: Path) -> None:
    young = EventStore(tmp_path, replace(PLENTY, age_days=730))
    Log(young).happen(view("ann", "a", "1"))
    ahead_ms = NOW_MS + 3_650 * DAY_MS
    young.take(0, [ReceivedEvent(view("bob", "b", "2", ahead_ms), 1, ahead_ms)], 2, NOW_MS)
    young.publish(NOW_MS)
    assert rows_of(young) == [("ann", "a"), ("bob", "b")]
    assert [segment.newest_ts_ms for segment in young.manifest.segments] == [NOW_MS, NOW_MS]


def test_a_past_of_long_ago_ages_from_when_the_store_began(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    dataset = planted_dataset(users=5, items=10, length=3)
    log = dataset.interactions
    late = log.ts_ms.copy()
    late[-1] = NOW_MS + DAY_MS
    for name, past in (("old", dataset), ("ahead", replace(dataset, interactions=replace(log, ts_ms=late)))):
        store = EventStore(tmp_path / name, replace(PLENTY, age_days=730))
        begin_with(store, tmp_path, past, NOW_MS)
        Log(store).happen(view("ann", "item-1", "1"))
        assert len(rows_of(store)) == 16
        assert max(segment.newest_ts_ms for segment in store.manifest.segments) == NOW_MS
    assert not caplog.records
    store = EventStore(tmp_path / "old", replace(PLENTY, age_days=730))
    store.take(0, [ReceivedEvent(view("bob", "item-2", "2"), 1, NOW_MS)], 2, NOW_MS + 731 * DAY_MS)
    store.publish(NOW_MS + 731 * DAY_MS)
    assert rows_of(store) == [("ann", "item-1"), ("bob", "item-2")]
    assert "15 events go" in caplog.text


def test_what_lies_in_a_future_is_taken_for_when_kafka_had_it(store: EventStore) -> None:
    Log(store).happen(view("ann", "later", "1", NOW_MS + DAY_MS), view("ann", "now", "2"))
    times = [time for table in store.read(9) for time in table["ts_ms"].to_pylist()]
    assert times == [NOW_MS, NOW_MS]


def test_an_empty_store_begins_with_a_data_set_and_only_an_empty_one(tmp_path: Path) -> None:
    dataset = planted_dataset(users=5, items=10, length=3)
    store = EventStore(tmp_path / "store", PLENTY)
    assert begin_with(store, tmp_path, dataset, NOW_MS)
    assert not begin_with(EventStore(tmp_path / "store", PLENTY), tmp_path, dataset, NOW_MS)
    assert store.rows == 15
    assert past_items(tmp_path) == dataset.catalog
    Log(store).happen(view("ann", "item-1", "1"))
    assert rows_of(store)[-1] == ("ann", "item-1")


def test_a_manifest_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(StateError, match=MANIFEST):
        EventStore(tmp_path, PLENTY)
