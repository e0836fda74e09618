"""The fold of a whole list of events at once."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from app.interests.draft import Bounds
from app.interests.fold import Folded, UserEvents, fold
from app.interests.intake import ReceivedEvent
from app.interests.state import UserState


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
