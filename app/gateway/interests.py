"""What is known of a user, newest first: the agents' states, kept for a page that shows them.

They come from the changelog of the agents' table. It is compacted, so that a gateway that is new, or was away for
long, reads everybody's; `score-requests` has the same bytes, but only of who did something within a day.
Off unless asked for: lists need none of this, and it is what a visitor did.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from app.errors import StateError
from app.gateway import metrics as table
from app.gateway.replica import Replica, TopicRecord, folder_of, remove_all
from app.interests.state import NEVER_SEEN, UserState, decode_queries, decode_state
from app.observability import Metrics

ROLE: Final = "interests-changelog"
_FORMER_ROLE: Final = "score-requests"  # where the states were read from until November 2026


class ShownInteraction(Struct, frozen=True):
    """One thing the user did. `strength`: the rating in stars, the quantity bought, or 1."""

    item_id: str
    kind: str
    ts_ms: int = msgspec.field(name="ts")
    strength: float


class ShownQuery(Struct, frozen=True):
    """One search."""

    text: str
    ts_ms: int = msgspec.field(name="ts")


class InterestsView(Struct, frozen=True):
    """What is known of a user; `state_version` is -1 where that is nothing."""

    user_id: str
    state_version: int
    interactions: list[ShownInteraction]
    queries: list[ShownQuery]


def state_version_of(value: bytes) -> int | None:
    """The version of a state; None where the bytes are none."""
    try:
        return decode_state(value).state_version
    except StateError:
        return None


def interests_view(user_id: str, state: UserState) -> InterestsView:
    """A state as a page shows it."""
    interactions = [
        ShownInteraction(each.item_id, each.kind.name.lower(), each.ts_ms, round(each.strength, 3))
        for each in reversed(state.interactions())
    ]
    queries = [ShownQuery(each.text, each.ts_ms) for each in reversed(decode_queries(state.queries))]
    return InterestsView(user_id, state.state_version, interactions, queries)


def remove_interests(state_dir: Path) -> None:
    """Keep nothing any more of what visitors did."""
    for role in (ROLE, _FORMER_ROLE):
        remove_all(state_dir, role)


@dataclass(frozen=True, slots=True, eq=False)
class InterestsParts:
    """What the keeper works with; `clock_ms` is ms since 1970."""

    state_dir: Path
    write_buffer_mb: int
    metrics: Metrics
    clock_ms: Callable[[], int]


class InterestsKeeper:
    """The newest state of every user, on the local disk. `topic_id` is Kafka's id of the topic that they are of."""

    def __init__(self, parts: InterestsParts, topic_id: str) -> None:
        self._parts = parts
        remove_all(parts.state_dir, _FORMER_ROLE)
        self._replica = self._open(topic_id)

    def offsets(self) -> Mapping[int, int]:
        """Where to go on, by partition."""
        return self._replica.offsets()

    def take(self, polled: Mapping[int, Sequence[TopicRecord]]) -> None:
        """Keep what a poll brought."""
        taken = self._replica.take(polled, self._parts.clock_ms())
        self._parts.metrics.counter(table.UNREADABLE, ROLE).inc(taken.unreadable)

    def start_over(self, topic_id: str) -> None:
        """Forget everything."""
        self._replica.close()
        self._replica = self._open(topic_id)
        self._replica.start_over(self._parts.clock_ms())

    def view(self, user_id: str) -> InterestsView:
        """What is known of this user."""
        row = self._replica.get(user_id)
        return interests_view(user_id, NEVER_SEEN if row is None else decode_state(row.value))

    def flush(self, read_until_ms: int | None) -> None:
        """Bring everything to the disk; see `Replica.flush`."""
        self._replica.flush(read_until_ms)

    def close(self) -> None:
        """Keep everything for the next start."""
        self._replica.close()

    def _open(self, topic_id: str) -> Replica:
        parts = self._parts
        folder = folder_of(parts.state_dir, ROLE, topic_id)
        return Replica(folder, parts.write_buffer_mb, state_version_of, parts.clock_ms())
