"""A partition's events into rows, follow-ups and dead letters."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.contracts.dead_letters import decode_dead_letter
from app.contracts.events import (
    Event,
    Forget,
    HandOver,
    Identify,
    Impression,
    Inherit,
    Search,
    View,
    decode_event,
)
from app.interests.draft import Bounds
from app.interests.intake import IntakeLimits, SourceRecord
from app.interests.state import (
    SCHEMA_VERSION,
    Interaction,
    Kind,
    StateCause,
    UserState,
    decode_state,
    encode_state,
)
from app.kafka.publisher import MAX_VALUE_BYTES
from stream_agents.batch_path.contract import ProcessedBatch
from stream_agents.interests import BatchSummary, InterestsProcess, Routes, encode_rows, row_version
from tests.support.events import NOON_MS, Record, record
from tests.support.states import row_before_this_version

ROUTES = Routes("events", 4, "dead-letters", 1)


def view(user_id: str, number: int) -> View:
    return View(event_id=f"e{number}", user_id=user_id, ts_ms=NOON_MS + number, item_id=f"item-{number}")


def process(
    records: Sequence[SourceRecord],
    table: dict[bytes, bytes | None] | None = None,
    *,
    home: int = 0,
    bounds: Bounds | None = None,
) -> ProcessedBatch[BatchSummary]:
    limits = IntakeLimits(65_536, 86_400_000)
    function = InterestsProcess(limits, bounds or Bounds(), ROUTES, lambda _key: home, MAX_VALUE_BYTES)
    return function(0, records, lambda keys: [(table or {}).get(key) for key in keys])


def log(*events: Event) -> list[Record]:
    return [record(event, offset) for offset, event in enumerate(events)]


def state(version: int, interactions: Sequence[Interaction] = ()) -> UserState:
    return UserState.of(version, StateCause("e", "view", 1, 1), interactions)


def test_a_row_is_read_as_a_state_only_where_an_event_asks_for_it() -> None:
    table: dict[bytes, bytes | None] = {b"the table's own": b"4711"}
    batch = process([Record(b"junk", b"the table's own"), *log(view("ada", 1))], table)

    assert batch.rows.keys() == {b"ada"}
    assert batch.summary.dead_letters == {"invalid": 1}


def test_events_become_one_row_per_user() -> None:
    batch = process(log(view("ada", 1), view("bob", 2), view("ada", 3)))

    ada = batch.rows[b"ada"]
    assert ada is not None
    assert [each.item_id for each in decode_state(ada).interactions()] == ["item-1", "item-3"]
    assert batch.rows.keys() == {b"ada", b"bob"}
    assert (batch.summary.read, batch.summary.accepted, batch.summary.users_changed) == (3, 3, 2)
    assert (batch.first, batch.beside) == ([], [])


def test_doing_a_batch_again_returns_the_same_rows() -> None:
    records = log(view("ada", 1), view("bob", 2))
    rows = process(records).rows

    again = process(records, dict(rows))

    assert again.rows == rows
    assert again.summary.outcomes["replayed"] == 2


def test_a_row_of_the_schema_before_goes_on_as_one_of_this() -> None:
    before = row_before_this_version(4, [Interaction("tea", Kind.PURCHASE, NOON_MS)], {"milk": (2, 3, NOON_MS - 9)})
    assert row_version(before) == 4

    row = process([record(view("ada", 1), 7)], {b"ada": before}).rows[b"ada"]

    assert row is not None
    after = decode_state(row)
    assert (row[0], row_version(row)) == (SCHEMA_VERSION, 7)
    assert [each.item_id for each in after.interactions()] == ["tea", "item-1"]
    assert after.older_items()["milk"].count == 3


def test_bad_records_become_dead_letters_with_their_key_and_the_good_ones_go_on() -> None:
    records: list[SourceRecord] = [
        Record(b"{", b"ada", 0),
        record(view("bob", 1), 1),
        Record(None, b"ada", 2),
        Record(b"{}", b"k" * 5_000, 3),
    ]

    batch = process(records)

    letters = [decode_dead_letter(each.value or b"") for each in batch.beside]
    assert [(letter.reason, letter.origin.offset) for letter in letters] == [
        ("invalid", 0), ("null_value", 2), ("invalid", 3),
    ]  # fmt: skip
    assert [each.key for each in batch.beside] == [b"ada", b"ada", None]
    assert {(each.topic, each.partition) for each in batch.beside} == {("dead-letters", 0)}
    assert batch.summary.dead_letters == {"invalid": 2, "null_value": 1}
    assert batch.summary.accepted == 1


def test_impressions_are_accepted_and_change_nobody() -> None:
    shown = Impression(event_id="e1", user_id="ada", ts_ms=NOON_MS, item_id="item-1")

    batch = process(log(shown))

    assert batch.rows == {}
    assert (batch.summary.accepted, batch.summary.outcomes["ignored"]) == (1, 1)


def test_a_log_in_sends_the_hand_over_first() -> None:
    batch = process(log(Identify(event_id="e1", user_id="ada", ts_ms=NOON_MS, anonymous_id="anon")), home=2)

    assert batch.summary.outcomes["rerouted"] == 1  # partition 2 is home, this is partition 0
    batch = process(log(Identify(event_id="e1", user_id="ada", ts_ms=NOON_MS, anonymous_id="anon")))
    (follow_up,) = batch.first
    assert (follow_up.topic, follow_up.partition, follow_up.key) == ("events", 0, b"anon")
    event = decode_event(follow_up.value or b"")
    assert getattr(event, "heir_id", None) == "ada"


def test_a_log_in_after_endless_names_stops_nobody_however_much_is_remembered() -> None:
    endless = "\x01" * 250  # six bytes a character in JSON
    events: list[Event] = [
        View(event_id=f"e{n}", user_id="anon", ts_ms=NOON_MS + n, item_id=f"{n:05d}{endless}") for n in range(700)
    ]
    events += [
        Search(event_id=f"q{n}", user_id="anon", ts_ms=NOON_MS + n, query=f"{n}{endless * 7}") for n in range(99)
    ]
    events.append(HandOver(event_id="h", user_id="anon", ts_ms=NOON_MS + 900, heir_id="ada"))

    (follow_up,) = process(log(*events), bounds=Bounds(max_interactions=300, max_queries=200)).first

    value = follow_up.value or b""
    inherit = decode_event(value)
    assert isinstance(inherit, Inherit)
    assert len(value) <= MAX_VALUE_BYTES
    assert inherit.interactions[-1].item_id.startswith("00699")
    assert inherit.queries[-1].text.startswith("98")


def test_a_forgotten_user_has_a_row_that_deletes() -> None:
    table = dict(process(log(view("ada", 1))).rows)

    batch = process([record(Forget(event_id="e2", user_id="ada", ts_ms=NOON_MS + 5), 7)], table)

    assert batch.rows == {b"ada": None}
    assert (batch.summary.users_changed, batch.summary.users_forgotten) == (0, 1)


@given(st.integers(min_value=0, max_value=2**63 - 1))
def test_the_version_of_a_row_is_read_without_decoding_it(version: int) -> None:
    assert row_version(encode_state(state(version))) == version


def test_a_state_that_does_not_fit_loses_its_older_half() -> None:
    interactions = [Interaction(f"item-{number}" * 20, Kind.VIEW, number) for number in range(50)]
    whole = encode_state(state(5, interactions=interactions))

    rows, trimmed = encode_rows([(b"ada", state(5, interactions=interactions))], len(whole) // 2)

    row = rows[b"ada"]
    assert row is not None
    assert trimmed == 1
    assert len(row) <= len(whole) // 2
    assert decode_state(row).interactions()[-1] == interactions[-1]
    assert row_version(row) == 5


@pytest.mark.parametrize("version", [0, 127, 128, 255, 256, 65_535, 65_536, 2**32])
def test_versions_at_the_edges_of_their_encoding(version: int) -> None:
    assert row_version(encode_state(state(version))) == version
