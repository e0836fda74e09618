"""Events that the fold writes for somebody else: a user sent home, a visitor who logs in, and who is forgotten."""

import pytest

from app.contracts.events import (
    Click,
    Event,
    Forget,
    HandOver,
    Identify,
    Inherit,
    Purchase,
    Search,
    decode_event,
    encode_event,
)
from app.interests.draft import MAX_ALIASES, Bounds
from app.interests.follow_ups import MAX_INHERITED_ITEMS
from app.interests.places import MOST_PLACES
from app.interests.state import Interaction, Kind, UserState, decode_aliases, decode_places, known_items
from app.kafka.publisher import MAX_VALUE_BYTES
from tests.support.events import NOON_MS, received
from tests.support.folding import SMALL, fold_whole, folded, state_after, view


def test_a_user_on_the_wrong_partition_is_sent_home() -> None:
    events = received(view("a"), view("b"))
    result = fold_whole({}, events, SMALL, is_home=lambda user: user != b"ann")
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


def test_who_was_forgotten_between_the_login_and_the_inheritance_inherits_nothing() -> None:
    anonymous = folded({}, received(view("medicine", user="anon"))).states[b"anon"]
    assert anonymous is not None
    login = Identify(event_id="login", user_id="ann", ts_ms=NOON_MS, anonymous_id="anon")
    forget = Forget(event_id="forget", user_id="ann", ts_ms=NOON_MS + 1)
    ann = folded({}, received(view("tea"), login, forget))
    hand_over, forget_anonymous = ann.follow_ups
    assert isinstance(hand_over, HandOver)
    both = folded({b"anon": anonymous}, received(hand_over, forget_anonymous, first_offset=5))
    assert both.states == {b"anon": None}
    late = folded({}, received(*both.follow_ups, first_offset=9))
    assert (late.states, late.ignored) == ({}, 1)
    back = folded({}, received(view("bread"), *both.follow_ups, first_offset=9)).states[b"ann"]
    assert back is not None
    assert known_items(back) == {"bread"}


def test_a_forget_that_is_read_again_forgets_nobody_whom_the_user_became_later() -> None:
    forget = Forget(event_id="forget", user_id="ann", ts_ms=NOON_MS)
    login = Identify(event_id="login", user_id="ann", ts_ms=NOON_MS + 1, anonymous_id="new-phone")
    batch = received(forget, login, first_offset=5)
    ann = folded({b"ann": state_after(view("tea"))}, batch).states[b"ann"]
    assert ann is not None
    again = folded({b"ann": ann}, batch)
    assert (again.follow_ups, again.replayed, again.states) == ([], 2, {b"ann": ann})


def test_who_logs_in_under_the_name_she_had_is_not_forgotten_twice() -> None:
    login = Identify(event_id="login", user_id="ann", ts_ms=NOON_MS, anonymous_id="ann")
    forget = received(Forget(event_id="forget", user_id="ann", ts_ms=NOON_MS), first_offset=1)
    assert folded({b"ann": state_after(login)}, forget).follow_ups == []


def logins(*anonymous_ids: str) -> list[Event]:
    return [
        Identify(event_id=f"login-{number}", user_id="ann", ts_ms=NOON_MS, anonymous_id=each)
        for number, each in enumerate(anonymous_ids)
    ]


def test_of_many_anonymous_ids_those_of_the_last_logins_are_known_and_all_are_inherited() -> None:
    many = [f"phone-{number}" for number in range(MAX_ALIASES)]
    ann = state_after(*logins(*many, "phone-0", "tablet"))
    assert decode_aliases(ann.aliases) == [*many[2:], "phone-0", "tablet"]
    seen = (Interaction("tea", Kind.VIEW, NOON_MS),)
    late = [
        Inherit(event_id=each, user_id="ann", ts_ms=NOON_MS, anonymous_id=each, interactions=seen)
        for each in ("phone-1", "phone-0")
    ]
    assert folded({b"ann": ann}, received(*late, first_offset=200)).applied == 2


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
    login = Identify(event_id="login", user_id="ann", ts_ms=NOON_MS + 22, anonymous_id="anon")
    ann = state_after(at(20, "tea", "home", "ann"), at(21, "i1", "web", "ann"), login, bounds=bounds)
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
