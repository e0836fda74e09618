"""Hand-made user states."""

from collections.abc import Mapping, Sequence

from app.interests.state import Interaction, Kind, OlderItem, StateCause, UserState
from app.surfaces.touches import Touches, history_of, touches_of

Did = tuple[Kind, str]


def state_of(
    *did: Did | Interaction,
    version: int = 0,
    older: dict[str, OlderItem] | None = None,
    event_id: str = "",
    event_type: str = "view",
    received_ts_ms: int = 0,
) -> UserState:
    """The state of a user who did this, oldest first, a second apart."""
    interactions = [
        one if isinstance(one, Interaction) else Interaction(one[1], one[0], 10_000 + 1_000 * place)
        for place, one in enumerate(did)
    ]
    cause = StateCause(event_id or f"event-{version}", event_type, 10_000, received_ts_ms)
    return UserState.of(version, cause, interactions, older=older)


def touches(histories: Sequence[Sequence[Interaction]], number_of: Mapping[str, int]) -> Touches:
    """The columns of users who did this, each oldest first."""
    cause = StateCause("", "view", 0, 0)
    return touches_of([history_of(UserState.of(0, cause, history)) for history in histories], number_of)


def once(kinds: int, ts_ms: int = 5) -> OlderItem:
    """An item that was touched once, long ago."""
    return OlderItem(kinds, 1, 1, 1, 1.0, ts_ms, ts_ms)


def rated(item_id: str, stars: float) -> Interaction:
    """A rating."""
    return Interaction(item_id, Kind.RATE, 10_000, stars)
