"""The fold: bounded, ordered by event time, and indifferent to replays and to how the log is cut into batches."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.contracts.events import (
    Click,
    Event,
    Forget,
    HandOver,
    Identify,
    Impression,
    Inherit,
    Purchase,
    Rate,
    Search,
    View,
    decode_event,
    encode_event,
)
from app.errors import StateError
from app.interests.draft import Bounds, Draft
from app.interests.follow_ups import MAX_INHERITED_ITEMS
from app.interests.intake import ReceivedEvent
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
from app.kafka.publisher import MAX_VALUE_BYTES
from tests.support.events import NOON_MS, received
from tests.support.folding import FoldedWhole, fold_whole

BOUNDS = Bounds(max_interactions=5, slack=0, max_items=4, max_queries=2, max_age_ms=1_000_000)


def view(item: str, *, user: str = "ann", at: int = 0, event_id: str = "") -> View:
    return View(event_id=event_id or f"{user}-{item}-{at}", user_id=user, ts_ms=NOON_MS + at, item_id=item)


def folded(states: dict[bytes, UserState], events: Iterable[ReceivedEvent], bounds: Bounds = BOUNDS) -> FoldedWhole:
    return fold_whole(states, events, bounds)


def state_after(*events: Event, bounds: Bounds = BOUNDS) -> UserState:
    state = folded({}, received(*events), bounds).states[b"ann"]
    assert state is not None
    return state


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
    draft = Draft(None, BOUNDS)
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


def test_a_user_on_the_wrong_partition_is_sent_home() -> None:
    events = received(view("a"), view("b"))
    result = fold_whole({}, events, BOUNDS, is_home=lambda user: user != b"ann")
    assert result.states == {}
    assert result.follow_ups == [each.event for each in events]
    assert result.rerouted == 2


def test_forget_erases_and_what_comes_after_starts_afresh() -> None:
    before = state_after(view("a"))
    forget = Forget(event_id="f", user_id="ann", ts_ms=NOON_MS)
    assert folded({b"ann": before}, received(forget, first_offset=5)).states == {b"ann": None}
    state = folded({b"ann": before}, received(forget, view("b"), first_offset=5)).states[b"ann"]
    assert state is not None
    assert known_items(state) == {"b"}


def test_a_login_carries_the_anonymous_interests_over_and_forget_reaches_them() -> None:
    anonymous = folded({}, received(view("a", user="anon", at=1))).states[b"anon"]
    assert anonymous is not None
    login = Identify(event_id="login", user_id="ann", ts_ms=NOON_MS + 5, anonymous_id="anon")
    ann = folded({}, received(view("b", at=2), login))
    (hand_over,) = ann.follow_ups
    assert isinstance(hand_over, HandOver)
    (inherit,) = folded({b"anon": anonymous}, received(hand_over, first_offset=9)).follow_ups
    assert isinstance(inherit, Inherit)
    state = ann.states[b"ann"]
    assert state is not None
    twice = received(inherit, inherit, first_offset=9)
    merged = folded({b"ann": state}, twice).states[b"ann"]
    assert merged is not None
    assert [own.item_id for own in merged.interactions()] == ["a", "b"]
    forget = folded({b"ann": merged}, received(Forget(event_id="f", user_id="ann", ts_ms=NOON_MS), first_offset=20))
    assert [(event.user_id, type(event)) for event in forget.follow_ups] == [("anon", Forget)]


def handed_over(anonymous: UserState, at: int) -> Inherit:
    """What Ann is told of an anonymous visitor when she logs in."""
    hand_over = HandOver(event_id=f"hand-{at}", user_id="anon", ts_ms=NOON_MS + at, heir_id="ann")
    (inherit,) = folded({b"anon": anonymous}, received(hand_over, first_offset=at)).follow_ups
    sent = decode_event(encode_event(inherit))
    assert sent == inherit
    assert isinstance(sent, Inherit)
    return sent


def test_a_login_brings_older_items_and_places_and_the_next_login_brings_nothing_more() -> None:
    def at(number: int, item: str, place: str, user: str) -> Event:
        name = f"{user}-{number}"
        return Purchase(event_id=name, user_id=user, ts_ms=NOON_MS + number, item_id=item, place=place)

    bounds = Bounds(max_interactions=3, slack=0)
    did = [at(number, f"i{number % 4}", "shop" if number % 2 else "web", "anon") for number in range(8)]
    anonymous = folded({}, received(*did), bounds).states[b"anon"]
    assert anonymous is not None
    ann = state_after(at(20, "tea", "home", "ann"), at(21, "i1", "web", "ann"), bounds=bounds)
    first, again = handed_over(anonymous, 30), handed_over(anonymous, 40)
    merged = folded({b"ann": ann}, received(first, first_offset=50), bounds).states[b"ann"]
    assert merged is not None
    assert decode_places(merged.known_places).ids == ["home", "web", "shop"]
    assert [(each.item_id, each.place) for each in merged.interactions()] == [
        ("i3", "shop"), ("tea", "home"), ("i1", "web"),
    ]  # fmt: skip
    older = merged.older_items()
    assert older.keys() == {"i0", "i1", "i2", "i3"}
    assert (older["i0"].count, older["i0"].places) == (2, 1 << 2)  # her second place is the visitor's first
    assert older["i1"].places == 1 << 3
    twice = folded({b"ann": merged}, received(again, first_offset=60), bounds).states[b"ann"]
    assert twice is not None
    assert (twice.interactions(), twice.older_items()) == (merged.interactions(), merged.older_items())


def test_the_largest_inheritance_fits_into_a_message() -> None:
    def name(number: int) -> str:
        return f"{number:05d}" + "\x01" * 251  # six bytes a character in JSON

    def click(number: int) -> Event:
        place = name(number % (MOST_PLACES + 1))
        return Click(event_id=f"e{number}", user_id="anon", ts_ms=NOON_MS + number, item_id=name(number), place=place)

    searches = [Search(event_id=f"q{n}", user_id="anon", ts_ms=NOON_MS + n, query="\x01" * 2_000) for n in range(10)]
    whole = folded({}, received(*searches, *map(click, range(600))), Bounds()).states[b"anon"]
    assert whole is not None
    inherit = handed_over(whole, 1_000)
    assert list(inherit.older) == list(whole.older_items())[-MAX_INHERITED_ITEMS:]
    assert len(encode_event(inherit)) < MAX_VALUE_BYTES


@pytest.mark.parametrize("length", [1, 128, 256])
def test_follow_ups_of_events_with_the_longest_ids_are_events_themselves(length: int) -> None:
    login = Identify(event_id="e" * length, user_id="ann", ts_ms=NOON_MS, anonymous_id="a" * length)
    merged = folded({}, received(login))
    hand_over = merged.follow_ups[0]
    inherit = folded({}, received(hand_over)).follow_ups[0]
    forgotten = folded(
        {b"ann": state_after(login)},
        received(Forget(event_id="f" * length, user_id="ann", ts_ms=NOON_MS), first_offset=1),
    )
    for follow_up in (hand_over, inherit, *forgotten.follow_ups):
        assert decode_event(encode_event(follow_up)) == follow_up
    assert isinstance(forgotten.follow_ups[0], Forget)


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
                    assert len(state.kinds) <= BOUNDS.most_interactions
                    assert len(state.older_items()) <= BOUNDS.max_items
                    assert len(decode_places(state.known_places).ids) <= MOST_PLACES
                    assert len(state.places) in (0, len(state.kinds))
                    states[user] = state
        start = end
    assert states == golden
