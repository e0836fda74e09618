"""The fold: bounded, ordered by event time, and indifferent to replays and to how the log is cut into batches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.contracts.events import Click, Event, Forget, Impression, Purchase, Rate, Search, View
from app.errors import StateError
from app.interests.draft import Bounds, Draft
from app.interests.places import MOST_PLACES
from app.interests.state import (
    NOTHING,
    Interaction,
    Kind,
    UserState,
    decode_places,
    decode_queries,
    decode_state,
    encode_state,
    known_items,
)
from tests.support.events import NOON_MS, received
from tests.support.folding import SMALL, folded, state_after, view


def test_a_state_holds_what_happened_in_event_time_and_its_newest_cause() -> None:
    state = state_after(
        view("b", at=2), view("a", at=1), Rate(event_id="r", user_id="ann", ts_ms=NOON_MS + 3, item_id="c", rating=4)
    )
    assert [(own.item_id, own.kind) for own in state.interactions()] == [
        ("a", Kind.VIEW),
        ("b", Kind.VIEW),
        ("c", Kind.RATE),
    ]
    assert state.interactions()[-1].strength == 4
    assert (state.state_version, state.cause.event_id, state.cause.event_type) == (2, "r", "rate")


def test_a_late_event_is_counted_and_takes_its_place_but_is_still_the_cause() -> None:
    result = folded({}, received(view("b", at=9), view("a", at=1)))
    state = result.states[b"ann"]
    assert state is not None
    assert result.late == 1
    assert state.cause.event_id == "ann-a-1"
    assert [own.item_id for own in state.interactions()] == ["a", "b"]


def test_an_event_sent_twice_changes_nothing_the_second_time() -> None:
    result = folded({}, received(view("a", event_id="same"), view("a", event_id="same")))
    assert (result.applied, result.duplicates) == (1, 1)
    state = result.states[b"ann"]
    assert state is not None
    assert len(state.kinds) == 1
    assert state.state_version == 0


def test_a_replay_changes_nothing_and_still_returns_its_user() -> None:
    events = received(view("a"), view("b"))
    first = folded({}, events).states[b"ann"]
    assert first is not None
    again = folded({b"ann": first}, events)
    assert again.states == {b"ann": first}
    assert (again.applied, again.replayed) == (0, 2)


def test_what_leaves_the_newest_interactions_is_still_known() -> None:
    state = state_after(*(view(f"i{n}", at=n) for n in range(8)))
    assert [own.item_id for own in state.interactions()] == ["i3", "i4", "i5", "i6", "i7"]
    assert list(state.older_items()) == ["i0", "i1", "i2"]
    assert known_items(state) == {f"i{n}" for n in range(8)}


def test_some_more_gather_before_the_surplus_leaves_at_once() -> None:
    bounds = Bounds(max_interactions=5, slack=2)
    lengths = [len(state_after(*(view(f"i{n}", at=n) for n in range(count)), bounds=bounds).kinds) for count in (7, 8)]
    assert lengths == [7, 5]


def test_a_late_event_among_many_takes_its_place_in_every_column() -> None:
    events = [
        Rate(event_id=f"e{n}", user_id="ann", ts_ms=NOON_MS + n, item_id=f"i{n}", rating=n % 9) for n in range(20)
    ]
    late = Purchase(event_id="late", user_id="ann", ts_ms=NOON_MS + 7, item_id="tea", quantity=12)
    state = state_after(*events, late, bounds=Bounds())
    expected = [Interaction(each.item_id, Kind.RATE, each.ts_ms, each.rating) for each in events]
    expected.insert(8, Interaction("tea", Kind.PURCHASE, NOON_MS + 7, 12.0))
    assert state.interactions() == expected


def test_a_strength_beyond_its_column_becomes_the_largest() -> None:
    absurd = Purchase(event_id="e", user_id="ann", ts_ms=NOON_MS, item_id="tea", quantity=1e300)
    assert state_after(absurd).interactions()[0].strength == pytest.approx(3.4e38)


@pytest.mark.parametrize("cut", range(1, 8))
def test_an_event_id_is_recognised_only_as_a_whole_hash(cut: int) -> None:
    draft = Draft(None, SMALL)
    assert draft.remember("a")
    hashed = draft.recent
    draft.recent = b"\x00" * cut + hashed + b"\x00" * (8 - cut)  # stands there, but across two others
    assert draft.remember("a")
    assert not draft.remember("a")


def test_older_items_are_bounded_and_the_first_to_leave_goes_first() -> None:
    state = state_after(*(view(f"i{n}", at=n) for n in range(20)))
    assert list(state.older_items()) == ["i11", "i12", "i13", "i14"]


def test_interactions_past_the_age_bound_fade() -> None:
    state = state_after(view("old", at=0), view("new", at=2_000_000))
    assert known_items(state) == {"new"}


def test_a_bound_of_no_queries_keeps_none() -> None:
    search = Search(event_id="q", user_id="ann", ts_ms=NOON_MS, query="tea")
    assert state_after(search, bounds=Bounds(max_queries=0)).queries == NOTHING
    assert [query.text for query in decode_queries(state_after(search).queries)] == ["tea"]


def test_an_impression_alone_touches_nobody() -> None:
    shown = Impression(event_id="i", user_id="ann", ts_ms=NOON_MS, item_id="a")
    result = folded({}, received(shown))
    assert result.states == {}
    assert result.ignored == 1


def test_a_state_survives_its_bytes_and_another_schema_version_is_refused() -> None:
    state = state_after(
        *(view(f"i{n}", at=n) for n in range(8)), Search(event_id="q", user_id="ann", ts_ms=1, query="q")
    )
    assert decode_state(encode_state(state)) == state
    with pytest.raises(StateError, match="schema version 9"):
        decode_state(b"\x09" + encode_state(state)[1:])
    with pytest.raises(StateError, match="cannot be read"):
        decode_state(encode_state(state)[:-3])


EVENTS = st.lists(
    st.builds(
        lambda kind, user, item, at, name, place: kind(
            event_id=name, user_id=user, ts_ms=NOON_MS + at, item_id=item, place=place
        ),
        st.sampled_from([View, Click, Purchase, Impression]),
        st.sampled_from(["ann", "bob"]),
        st.sampled_from("abcdefgh"),
        st.integers(0, 3_000),
        st.uuids().map(str),
        st.none() | st.integers(0, 2 * MOST_PLACES).map("place-{}".format),
    )
    | st.builds(
        lambda user, name: Forget(event_id=name, user_id=user, ts_ms=NOON_MS),
        st.sampled_from(["ann", "bob"]),
        st.uuids().map(str),
    ),
    max_size=40,
)


@given(EVENTS, st.data())
def test_however_the_log_is_cut_and_replayed_the_states_are_the_same(events: list[Event], data: st.DataObject) -> None:
    log = received(*events)
    golden = {user: state for user, state in folded({}, log).states.items() if state is not None}
    states: dict[bytes, UserState] = {}
    start = 0
    while start < len(log):
        end = data.draw(st.integers(start + 1, len(log)))
        # A crash after the write and before the commit: the same batch comes again. States are never behind it.
        for _attempt in range(data.draw(st.integers(1, 2))):
            for user, state in folded(states, log[start:end]).states.items():
                if state is None:
                    states.pop(user, None)
                else:
                    assert len(state.kinds) <= SMALL.most_interactions
                    assert len(state.older_items()) <= SMALL.max_items
                    assert len(decode_places(state.known_places).ids) <= MOST_PLACES
                    assert len(state.places) in (0, len(state.kinds))
                    states[user] = state
        start = end
    assert states == golden
