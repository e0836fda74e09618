"""Hand-made user states."""

from collections.abc import Mapping, Sequence

import msgspec

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


def row_before_this_version(
    version: int, interactions: Sequence[Interaction], older: Mapping[str, tuple[int, int, int]]
) -> bytes:
    """A state's bytes as schema version 2 wrote them; an older item was kinds, count and last time."""
    now = UserState.of(version, StateCause("e", "view", 1, 2), interactions)
    fields = (
        now.state_version, now.cause, now.ids, now.kinds, now.times, now.strengths, b"8 bytes.", older,
        [("q", 3)], ["anon"],
    )  # fmt: skip
    return b"\x02" + msgspec.msgpack.encode(fields)


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
