"""Where a user did something: few places, each with a number that never comes to mean another one."""

from app.contracts.events import Click, Event
from app.interests.draft import Bounds
from app.interests.places import MOST_PLACES
from app.interests.state import UserState, decode_places
from tests.support.events import NOON_MS, received
from tests.support.folding import fold_whole

BOUNDS = Bounds(max_interactions=5, slack=2, max_items=30)


def click(place: str | None, at: int, item: str = "") -> Click:
    return Click(event_id=f"e{at}-{place}", user_id="ann", ts_ms=NOON_MS + at, item_id=item or f"i{at}", place=place)


def after(*events: Event, bounds: Bounds = BOUNDS) -> UserState:
    state = fold_whole({}, received(*events), bounds).states[b"ann"]
    assert state is not None
    return state


def shown(state: UserState) -> list[str | None]:
    return [each.place for each in state.interactions()]


def known(state: UserState) -> list[str]:
    return decode_places(state.known_places).ids


def test_who_never_tells_a_place_has_no_column_for_it() -> None:
    assert after(click(None, 1), click(None, 2)).places == b""


def test_the_column_starts_with_the_first_place_and_knows_of_none_before() -> None:
    state = after(click(None, 1), click("north", 3), click(None, 4), click("south", 5), click("north", 2))
    assert shown(state) == [None, "north", "north", None, "south"]
    assert state.places == bytes([0, 1, 1, 0, 2])


def test_an_item_remembers_where_it_was_bought_after_the_interaction_has_left() -> None:
    state = after(*(click("north" if at % 2 else "south", at, item="tea") for at in range(8)))
    assert state.older_items()["tea"].places == 1 << 1 | 1 << 2
    assert len(state.places) == len(state.kinds) == 5


def test_one_place_too_many_takes_the_number_of_the_one_used_least_lately_which_is_forgotten_everywhere() -> None:
    events = [click(f"place-{at}", at) for at in range(MOST_PLACES)]
    events += [click("place-0", 20), click("place-0", 21)]
    state = after(*events, click("new", 22), click("newer", 23, item="i5"))
    assert known(state) == ["place-0", "new", "newer", *(f"place-{at}" for at in range(3, MOST_PLACES))]
    older = state.older_items()
    assert older["i1"].places == 1  # where that was is not known any more
    assert older["i3"].places == 1 << 4
    assert shown(state)[-4:] == ["place-0", "place-0", "new", "newer"]


def test_a_place_that_leaves_the_newest_interactions_leaves_their_column_too() -> None:
    bounds = Bounds(max_interactions=50, slack=14)
    events = [click(f"place-{at}", at) for at in range(MOST_PLACES)]
    state = after(*events, click("new", 99), bounds=bounds)
    assert shown(state) == [None, *(f"place-{at}" for at in range(1, MOST_PLACES)), "new"]


def test_a_late_event_does_not_drive_out_a_place_that_was_used_since() -> None:
    events = [click(f"place-{at}", 10 + at) for at in range(MOST_PLACES)]
    state = after(*events, click("late", 5))
    assert known(state) == [f"place-{at}" for at in range(MOST_PLACES)]
    assert "late" not in shown(state)
