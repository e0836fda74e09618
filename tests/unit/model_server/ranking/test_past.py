"""What a ranker is told when it serves is what it was told in training."""

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from app.contracts.events import Event, Purchase
from app.data.interactions import Interactions
from app.interests.draft import Bounds
from app.interests.older import MS_PER_DAY
from app.interests.state import Kind, UserState
from app.surfaces.touches import history_of, places_of, touches_of
from model_server.ranking.lines import Moments
from model_server.ranking.past import Past, past_of, past_of_states
from tests.support.events import NOON_MS, received
from tests.support.folding import fold_whole
from tests.support.model import interactions_of

ITEMS, WINDOW = 12, 20
PLACES = ("north", "south")


def purchases(seed: int, user: str) -> list[Purchase]:
    """Twenty visits, days apart; two or three different items each, all in one place."""
    rng, now_ms, events = random.Random(seed), NOON_MS, list[Purchase]()
    for _ in range(20):
        now_ms += rng.randrange(MS_PER_DAY, 5 * MS_PER_DAY)
        place = rng.choice(PLACES)
        for item in rng.sample(range(ITEMS), rng.randrange(2, 4)):
            event_id = f"{user}-{len(events)}"
            events.append(Purchase(event_id=event_id, user_id=user, ts_ms=now_ms, item_id=f"item-{item}", place=place))
    return events


def state_after(events: Sequence[Event]) -> UserState:
    state = fold_whole({}, received(*events), Bounds(max_interactions=WINDOW, slack=0)).states[
        events[0].user_id.encode()
    ]
    assert state is not None
    return state


def log_of(events: Sequence[Purchase]) -> Interactions:
    rows = [(0, int(event.item_id.removeprefix("item-")), event.ts_ms or 0) for event in events]
    places = np.array([PLACES.index(event.place or "") for event in events], np.int32)
    return replace(interactions_of(rows, 1, ITEMS, Kind.PURCHASE), places=places)


def both() -> tuple[Past, Past]:
    """(from histories, from states) of three users, who now stand in the south."""
    people = [purchases(seed, f"user-{seed}") for seed in range(3)]
    now_ms = np.full(3, max(event.ts_ms or 0 for events in people for event in events) + MS_PER_DAY)
    nothing = np.zeros(0, np.int64)
    moments = Moments(now_ms, np.arange(3), np.full(3, PLACES.index("south"), np.int32), nothing, nothing)
    histories = [history_of(state_after(events)) for events in people]
    touches = touches_of(histories, {f"item-{number}": number for number in range(ITEMS)})
    served = past_of_states(touches, moments, places_of(histories, ["south"] * 3))
    return past_of([log_of(events) for events in people], moments, WINDOW), served


@pytest.mark.parametrize(
    "column", ["owners", "items", "count", "occasions", "decayed", "fast", "first_days", "last_days", "here"]
)
def test_own_items_of_a_bounded_state_are_those_of_the_whole_history(column: str) -> None:
    trained, served = both()
    assert getattr(served.own, column) == pytest.approx(getattr(trained.own, column), rel=1e-5)


def test_the_newest_visits_are_the_same() -> None:
    trained, served = both()
    assert served.own.recent.tolist() == trained.own.recent.tolist()
    assert served.newest.items.tolist() == trained.newest.items.tolist()
    assert served.newest.visits_ago.tolist() == trained.newest.visits_ago.tolist()
