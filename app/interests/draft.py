"""One user's state while events are applied to it: ordered by event time, bounded when it is finished. Pure."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import Final, TypeVar

from app.contracts.events import (
    AddToCart,
    Click,
    Dislike,
    Event,
    Identify,
    Inherit,
    Like,
    Purchase,
    Rate,
    RemoveFromCart,
    Search,
    View,
    event_type,
)
from app.interests.intake import ReceivedEvent
from app.interests.state import Interaction, Kind, OlderItem, Query, StateCause, UserState

RECENT_EVENTS: Final = 32
MAX_QUERY_CHARACTERS: Final = 200
MAX_ALIASES: Final = 8

_T = TypeVar("_T")

KINDS: Final[Mapping[type, Kind]] = {
    View: Kind.VIEW,
    Click: Kind.CLICK,
    AddToCart: Kind.ADD_TO_CART,
    RemoveFromCart: Kind.REMOVE_FROM_CART,
    Purchase: Kind.PURCHASE,
    Like: Kind.LIKE,
    Dislike: Kind.DISLIKE,
    Rate: Kind.RATE,
}


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is remembered of one user."""

    max_interactions: int = 50
    max_items: int = 1_000
    max_queries: int = 10
    max_age_ms: int = 730 * 86_400_000


class Draft:
    """A user's state while events are applied to it: mutable, and never handed on; `finish` makes the new state."""

    __slots__ = ("aliases", "before", "interactions", "newest", "queries", "recent", "version")

    def __init__(self, state: UserState | None) -> None:
        self.before = state
        self.newest: ReceivedEvent | None = None  # the last one that was applied
        if state is None:
            self.version = -1
            self.interactions, self.queries, self.recent, self.aliases = [], [], [], []
        else:
            # Copies: the state that came in is somebody else's.
            self.version = state.state_version
            self.interactions = state.interactions.copy()
            self.queries = state.queries.copy()
            self.recent = state.recent_events.copy()
            self.aliases = state.aliases.copy()

    def remember(self, event_id: str) -> bool:
        """False when this event id is among the newest ones already."""
        # 64 bits: a false match among 32 ids would take 10^17 events.
        hashed = int.from_bytes(blake2b(event_id.encode(), digest_size=8).digest())
        if hashed in self.recent:
            return False
        self.recent.append(hashed)
        return True

    def apply(self, event: Event) -> int:
        """Apply one new event; 1 when it came late (older than the newest interaction), else 0."""
        kind = KINDS.get(type(event))
        if kind is not None:
            return self._insert(Interaction(event.item_id, kind, event.ts_ms, _strength(event)))  # type: ignore[union-attr]  # every type in KINDS has an item_id
        if isinstance(event, Search):
            self.queries.append(Query(event.query[:MAX_QUERY_CHARACTERS], event.ts_ms))
            self.queries.sort(key=_query_ts)
        elif isinstance(event, Identify) and event.anonymous_id not in self.aliases:
            self.aliases.append(event.anonymous_id)
        elif isinstance(event, Inherit):
            known = {(own.item_id, own.kind, own.ts_ms) for own in self.interactions}
            for inherited in event.interactions:
                if (inherited.item_id, inherited.kind, inherited.ts_ms) not in known:
                    self._insert(inherited)
            self.queries = sorted({*self.queries, *event.queries}, key=_query_ts)
        return 0

    def _insert(self, interaction: Interaction) -> int:
        interactions = self.interactions
        if not interactions or interactions[-1].ts_ms <= interaction.ts_ms:
            interactions.append(interaction)
            return 0
        interactions.insert(bisect_right(interactions, interaction.ts_ms, key=_interaction_ts), interaction)
        return 1

    def finish(self, bounds: Bounds) -> UserState | None:
        """The state, brought back into its bounds; None when nothing was ever applied (or all was forgotten)."""
        if self.newest is None:
            return self.before
        interactions = self.interactions
        older = {} if self.before is None else self.before.older
        surplus = len(interactions) - bounds.max_interactions
        if surplus > 0:
            older = older.copy()
            for leaving in interactions[:surplus]:
                _retire(older, leaving)
            del interactions[:surplus]
        if interactions:
            oldest_ms = interactions[-1].ts_ms - bounds.max_age_ms
            if interactions[0].ts_ms < oldest_ms:
                interactions = interactions[bisect_right(interactions, oldest_ms - 1, key=_interaction_ts) :]
            if older:
                older = _bounded(older, bounds.max_items, oldest_ms)
        return UserState(
            self.version,
            _cause(self.newest),
            interactions,
            older,
            _last(self.queries, bounds.max_queries),
            _last(self.recent, RECENT_EVENTS),
            _last(self.aliases, MAX_ALIASES),
        )


def _cause(newest: ReceivedEvent) -> StateCause:
    event = newest.event
    return StateCause(event.event_id, event_type(event), event.ts_ms, newest.received_ts_ms)


def _last(values: list[_T], most: int) -> list[_T]:
    """The last `most` values; `values[-most:]` would be all of them for 0."""
    return values if len(values) <= most else values[len(values) - most :]


def _bounded(older: dict[str, OlderItem], most: int, oldest_ms: int) -> dict[str, OlderItem]:
    """Without the items that left first: those beyond the bound, and those that are too old."""
    surplus = len(older) - most
    for place, item in enumerate(older.values()):
        if place >= surplus and item.last_ts_ms >= oldest_ms:
            return dict(islice(older.items(), place, None)) if place else older
    return {}


def _retire(older: dict[str, OlderItem], leaving: Interaction) -> None:
    """Take an interaction that leaves the newest ones into its item's small record, which moves to the end."""
    bit = 1 << leaving.kind
    before = older.pop(leaving.item_id, None)
    older[leaving.item_id] = (
        OlderItem(bit, 1, leaving.ts_ms)
        if before is None
        else OlderItem(before.kinds | bit, before.count + 1, max(before.last_ts_ms, leaving.ts_ms))
    )


def _strength(event: Event) -> float:
    if type(event) is Rate:
        return event.rating
    if type(event) is Purchase or type(event) is AddToCart:
        return event.quantity
    return 1.0


def _interaction_ts(interaction: Interaction) -> int:
    return interaction.ts_ms


def _query_ts(query: Query) -> int:
    return query.ts_ms
