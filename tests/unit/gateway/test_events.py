"""What a POST may bring: all of it is right, or nothing is sent and the answer names the place."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.contracts.events import InvalidEvent, decode_event
from app.gateway.auth import Caller
from app.gateway.events import MAX_EVENTS, EventLimits, Outbound, read_events
from app.gateway.problems import Problem

NOW_MS = 1_790_000_000_000
LIMITS = EventLimits(max_event_bytes=2_000, max_future_ms=1_000)
VIEW = {"event_id": "e1", "type": "view", "user_id": "ann", "ts": NOW_MS, "item_id": "fargo"}


def read(body: Any, caller: Caller | None = None) -> list[Outbound] | Problem:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    result = read_events(raw, caller or Caller(), LIMITS, NOW_MS, lambda: "new-id")
    return result if isinstance(result, Problem) else list(result)


def one(body: Any, caller: Caller | None = None) -> dict[str, Any]:
    events = read(body, caller)
    assert isinstance(events, list), events
    (event,) = events
    fields: dict[str, Any] = json.loads(event.value)
    return fields


def problem(body: Any, caller: Caller | None = None) -> Problem:
    found = read(body, caller)
    assert isinstance(found, Problem), found
    return found


def test_an_event_goes_on_as_it_came() -> None:
    assert one(VIEW) == VIEW


def test_a_browsers_event_gets_an_id_and_the_time() -> None:
    bare = {name: VIEW[name] for name in ("type", "user_id", "item_id")}
    assert one(bare) == VIEW | {"event_id": "new-id"}


def test_unknown_fields_are_left_out() -> None:
    assert one(VIEW | {"colour": "blue"}) == VIEW


def test_a_batch_keeps_its_order() -> None:
    events = read([VIEW | {"event_id": f"e{number}"} for number in range(3)])
    assert isinstance(events, list)
    assert [event.event_id for event in events] == ["e0", "e1", "e2"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"type": "vieww"}, "type"),
        ({"user_id": ""}, "user_id"),
        ({"user_id": 7}, "user_id"),
        ({"item_id": None}, "item_id"),
        ({"ts": "now"}, "ts"),
        ({"ts": NOW_MS + 1_001}, "ts"),
        ({"type": "rate", "rating": 11}, "rating"),
        ({"user_id": "riverrun.newcomer"}, "user_id"),
        ({"user_id": "a\0n"}, "user_id"),
        ({"type": "riverrun.hand_over", "heir_id": "bob"}, "type"),
    ],
)
def test_a_wrong_event_is_refused_by_its_field(change: dict[str, Any], field: str) -> None:
    found = problem(VIEW | change)
    assert (found.status, found.code, found.field, found.index) == (422, "invalid_event", field, None)


def test_one_wrong_event_refuses_the_whole_batch_and_is_named() -> None:
    found = problem([VIEW, VIEW | {"item_id": ""}, VIEW])
    assert (found.status, found.field, found.index) == (422, "item_id", 1)


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b"", 400), (b"\xff", 400), (b"[" * 100_000, 400), ([], 422), (7, 422), ([7], 422), (None, 422)],
)
def test_what_is_no_event_at_all_is_refused(body: Any, status: int) -> None:
    assert problem(body).status == status


def test_too_many_and_too_large_events_are_refused() -> None:
    assert problem([VIEW] * (MAX_EVENTS + 1)).status == 413
    assert problem({"type": "search", "user_id": "ann", "query": "ü" * 1_500}).status == 413


def test_a_visitor_sends_own_events_only_and_says_nothing_about_who_anybody_is() -> None:
    ann = Caller("ann")
    assert one(VIEW, ann) == VIEW
    assert problem(VIEW | {"user_id": "bob"}, ann).status == 403
    identify = {"event_id": "e1", "type": "identify", "user_id": "ann", "anonymous_id": "bob", "ts": NOW_MS}
    assert problem(identify, ann).status == 403
    assert one(identify) == identify


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(["event_id", "type", "user_id", "ts", "item_id", "rating", "query", "anonymous_id", "price"])
TYPES = st.sampled_from(["view", "rate", "search", "purchase", "identify", "forget", "riverrun.inherit"])


@given(st.dictionaries(FIELDS, JSON | TYPES, max_size=9) | st.lists(JSON, max_size=3) | JSON)
def test_whatever_json_comes_is_refused_or_a_valid_event(body: Any) -> None:
    found = read(json.dumps(body).encode())
    if isinstance(found, Problem):
        assert 400 <= found.status < 500
        msgspec.json.encode(found)
    else:
        assert not any(isinstance(decode_event(event.value), InvalidEvent) for event in found)


@given(st.binary(max_size=200))
def test_whatever_bytes_come_are_refused_in_words(body: bytes) -> None:
    found = read(body)
    assert isinstance(found, list) or found.message
