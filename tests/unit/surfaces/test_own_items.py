"""Users' own items: what the state tells of them is what the whole history tells, found for many users at once."""

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest

from app.contracts.events import Click, Event, Purchase
from app.interests.draft import Bounds
from app.interests.older import DAILY_DECAY, MS_PER_DAY, OCCASION_GAP_MS
from app.interests.state import Kind, OlderItem, UserState
from app.surfaces.own_items import VISIT_COUNTS, OwnItems, own_items, visits_back
from app.surfaces.touches import history_of, places_of, touches_of
from tests.support.events import NOON_MS, received
from tests.support.folding import fold_whole
from tests.support.states import state_of

NUMBERS = {f"i{number}": number for number in range(40)}
WHOLE = Bounds(max_interactions=100_000)
SMALL = Bounds(max_interactions=6, slack=3)


class Own(NamedTuple):
    """One user's item."""

    interactions: int
    occasions: int
    decayed: float
    first_ts_ms: int
    last_ts_ms: int
    kinds: int
    in_visits: tuple[int, ...]


def shopper(seed: int, visits: int = 12) -> list[Event]:
    """Somebody who comes now and then and takes some of the same things; events in order."""
    rng, now_ms, events = random.Random(seed), NOON_MS, list[Event]()
    for _ in range(visits):
        now_ms += rng.randrange(OCCASION_GAP_MS + 1, 9 * MS_PER_DAY)
        place = rng.choice(["north", "south", None])
        for _ in range(rng.randrange(1, 4)):
            now_ms += rng.randrange(60_000)
            kind = rng.choice([Click, Purchase])
            item = f"i{rng.randrange(9)}"
            events.append(kind(event_id=f"e{len(events)}", user_id="ann", ts_ms=now_ms, item_id=item, place=place))
    return events


def state_after(events: Sequence[Event], bounds: Bounds) -> UserState:
    state = fold_whole({}, received(*events), bounds).states[b"ann"]
    assert state is not None
    return state


def asked(states: Sequence[UserState], now_ms: int) -> OwnItems:
    touches = touches_of([history_of(state) for state in states], NUMBERS)
    return own_items(touches, np.full(len(states), now_ms))


def of_user(own: OwnItems, user: int) -> dict[str, Own]:
    mine = own.users == user
    columns: list[Any] = [
        own.items, own.counts, own.occasions, own.decayed, own.first_ts_ms, own.last_ts_ms, own.kinds, own.in_visits,
    ]  # fmt: skip
    rows: list[Any] = list(zip(*(column[mine].tolist() for column in columns), strict=True))
    return {f"i{item}": Own._make([*rest, tuple(visits)]) for item, *rest, visits in rows}


def by_hand(events: Sequence[Any], now_ms: int) -> dict[str, Own]:
    """The same, said as slowly and plainly as possible."""
    visits: list[set[str]] = []
    for number, event in enumerate(events):
        if not number or event.ts_ms - events[number - 1].ts_ms > OCCASION_GAP_MS:
            visits.append(set())
        visits[-1].add(event.item_id)
    found = {}
    for item in {event.item_id for event in events}:
        mine = [event for event in events if event.item_id == item]
        times = [event.ts_ms for event in mine]
        begun = [ts for place, ts in enumerate(times) if not place or ts - times[place - 1] > OCCASION_GAP_MS]
        found[item] = Own(
            interactions=len(mine),
            occasions=len(begun),
            decayed=sum(DAILY_DECAY ** ((now_ms - ts) / MS_PER_DAY) for ts in begun),
            first_ts_ms=times[0],
            last_ts_ms=times[-1],
            kinds=sum({1 << (Kind.CLICK if isinstance(event, Click) else Kind.PURCHASE) for event in mine}),
            in_visits=tuple(sum(item in visit for visit in visits[-most:]) for most in VISIT_COUNTS),
        )
    return found


@pytest.mark.parametrize("seed", range(20))
def test_whole_and_bounded_histories_tell_what_is_counted_by_hand(seed: int) -> None:
    events = shopper(seed)
    now_ms = events[-1].ts_ms + 3 * MS_PER_DAY
    expected = by_hand(events, now_ms)
    for bounds, visits in ((WHOLE, 4), (SMALL, 2)):  # six interactions reach back two visits of three
        own = of_user(asked([state_after(events, bounds)], now_ms), 0)
        assert own.keys() == expected.keys()
        for item, wanted in expected.items():
            assert own[item]._replace(decayed=0, in_visits=()) == wanted._replace(decayed=0, in_visits=())
            assert own[item].decayed == pytest.approx(wanted.decayed, rel=1e-5)
            assert own[item].in_visits[:visits] == wanted.in_visits[:visits]


def test_a_batch_says_of_each_user_what_it_says_alone() -> None:
    states = [state_after(shopper(seed), SMALL) for seed in range(8)]
    states.insert(3, state_of())
    now_ms = NOON_MS + 200 * MS_PER_DAY
    together = asked(states, now_ms)
    assert together.users.tolist() == sorted(together.users)
    for user, state in enumerate(states):
        assert of_user(together, user) == of_user(asked([state], now_ms), 0)


def test_nobody_and_nothing() -> None:
    for states in ([], [state_of()]):
        own = asked(states, NOON_MS)
        assert [len(each) for each in (own.users, own.counts, own.decayed, own.places, own.rhythm_ms())] == [0] * 5
        assert own.in_visits.shape == (0, len(VISIT_COUNTS))


def test_rhythm_is_the_mean_time_between_occasions_and_unknown_after_one() -> None:
    week = 7 * MS_PER_DAY
    older = {"i1": OlderItem(2, 4, 3, 1, 2.5, 4 * week, 2 * week), "i2": OlderItem(2, 1, 1, 1, 1.0, week, week)}
    own = asked([state_of(older=older)], 5 * week)
    assert own.rhythm_ms().tolist() == pytest.approx([week, np.nan], nan_ok=True)


def test_an_item_is_asked_for_at_a_place_by_the_users_own_number_of_it() -> None:
    def at(place: str | None, item: str, number: int) -> Event:
        return Click(event_id=f"e{number}", user_id="ann", ts_ms=NOON_MS + number, item_id=item, place=place)

    one = state_after([at("north", "i1", 1), at("south", "i2", 2), at(None, "i3", 3)], WHOLE)
    other = state_after([at("south", "i1", 1), at("west", "i2", 2)], WHOLE)
    histories = [history_of(one), history_of(other)]
    own = own_items(touches_of(histories, NUMBERS), np.full(2, NOON_MS))
    assert own.at_place(places_of(histories, ["south", "south"])).tolist() == [False, True, False, True, False]
    assert own.at_place(places_of(histories, [None, "east"])).tolist() == [False] * 5


def test_visits_end_where_half_an_hour_passes_without_anything() -> None:
    minutes = np.array([0, 30, 61, 5, 200, 100])
    back = visits_back(np.array([0, 0, 0, 2, 2, 2]), NOON_MS + 60_000 * minutes)
    assert back.tolist() == [1, 1, 0, 2, 0, 1]
