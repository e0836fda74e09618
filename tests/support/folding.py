"""The fold of a whole list of events at once, and what ann and others do in it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from app.contracts.events import Event, View
from app.interests.draft import Bounds
from app.interests.fold import Folded, UserEvents, fold
from app.interests.intake import ReceivedEvent
from app.interests.state import UserState
from tests.support.events import NOON_MS, received

SMALL = Bounds(max_interactions=5, slack=0, max_items=4, max_queries=2, max_age_ms=1_000_000)


@dataclass(slots=True)
class FoldedWhole(Folded):
    """What events came to, with the state of every user that they touched; None for a forgotten one."""

    states: dict[bytes, UserState | None] = field(default_factory=dict)


def fold_whole(
    states: Mapping[bytes, UserState],
    events: Iterable[ReceivedEvent],
    bounds: Bounds,
    *,
    is_home: Callable[[bytes], bool] = lambda _user: True,
) -> FoldedWhole:
    """Fold all of them, user by user."""
    by_user: dict[bytes, list[ReceivedEvent]] = {}
    for each in events:
        by_user.setdefault(each.event.user_id.encode(), []).append(each)
    users = [UserEvents(key, states.get(key), own) for key, own in by_user.items()]
    whole = FoldedWhole()
    whole.states |= fold(users, bounds, whole, is_home=is_home)
    return whole


def view(item: str, *, user: str = "ann", at: int = 0, event_id: str = "") -> View:
    """Somebody looked at an item, so many milliseconds after noon."""
    return View(event_id=event_id or f"{user}-{item}-{at}", user_id=user, ts_ms=NOON_MS + at, item_id=item)


def folded(states: Mapping[bytes, UserState], events: Iterable[ReceivedEvent], bounds: Bounds = SMALL) -> FoldedWhole:
    """The fold within small bounds."""
    return fold_whole(states, events, bounds)


def state_after(*events: Event, bounds: Bounds = SMALL) -> UserState:
    """What ann's events come to."""
    state = folded({}, received(*events), bounds).states[b"ann"]
    assert state is not None
    return state
