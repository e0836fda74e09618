"""The fold: a list of one partition's events into its users' states. Pure, bounded, idempotent.

Order inside a state is event time; what is new is decided by offset. An event at or below a state's version was
applied before (a replay after a crash) and changes nothing, but its user is returned all the same: whatever the
crash kept from being published is published then.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice
from typing import Final, TypeVar

from app.contracts.events import (
    AddToCart,
    Click,
    Dislike,
    Event,
    Forget,
    HandOver,
    Identify,
    Impression,
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
from app.interests.state import MAX_ID_LENGTH, Interaction, Kind, OlderItem, Query, StateCause, UserState

RECENT_EVENTS: Final = 32
MAX_QUERY_CHARACTERS: Final = 200
MAX_ALIASES: Final = 8

_T = TypeVar("_T")

_KINDS: Final[Mapping[type, Kind]] = {
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


@dataclass(slots=True)
class Folded:
    """What a batch of events made of its users.

    Attributes:
        states: every user that the batch touched, with the newest state; None for a forgotten one.
        follow_ups: events that this batch causes for other users (or for another partition), to be sent to `events`.
        applied: events that changed a state.
        replayed: events that a state already contained.
        duplicates: events sent twice by their sender.
        late: applied events older than the newest one of their user.
        rerouted: events that lay on the wrong partition; they are among the follow-ups.
        ignored: valid events that say nothing about interests (impressions).
    """

    states: dict[str, UserState | None] = field(default_factory=dict)
    follow_ups: list[Event] = field(default_factory=list)
    applied: int = 0
    replayed: int = 0
    duplicates: int = 0
    late: int = 0
    rerouted: int = 0
    ignored: int = 0


def group_by_user(events: Iterable[ReceivedEvent]) -> dict[str, list[ReceivedEvent]]:
    """The events of each user, in log order."""
    grouped: dict[str, list[ReceivedEvent]] = {}
    for received in events:
        grouped.setdefault(received.event.user_id, []).append(received)
    return grouped


def fold(
    states: Mapping[str, UserState],
    events: Mapping[str, list[ReceivedEvent]],
    bounds: Bounds,
    *,
    is_home: Callable[[str], bool],
) -> Folded:
    """Fold one partition's events into the states of their users.

    Args:
        states: the states before, of those users that have one.
        events: the events of each user in log order, as from `group_by_user`.
        bounds: how much to remember.
        is_home: does this partition own the user? Asked for users without a state only, since a user that has one
            is at home here.
    """
    folded = Folded()
    for user_id, received in events.items():
        state = states.get(user_id)
        if state is None and not is_home(user_id):
            folded.follow_ups.extend(each.event for each in received)
            folded.rerouted += len(received)
            continue
        _fold_user(user_id, state, received, bounds, folded)
    return folded


def _fold_user(
    user_id: str, state: UserState | None, received: list[ReceivedEvent], bounds: Bounds, folded: Folded
) -> None:
    draft = _Draft(state)
    touched = False
    for each in received:
        event = each.event
        if type(event) is Impression:
            folded.ignored += 1
            continue
        touched = True
        if each.offset <= draft.version:
            folded.replayed += 1
            folded.follow_ups += _follow_ups(event, draft)
            continue
        if type(event) is Forget:
            folded.follow_ups += _follow_ups(event, draft)
            folded.applied += 1
            draft = _Draft(None)
            continue
        if not draft.remember(event.event_id):
            folded.duplicates += 1
            continue
        folded.late += draft.apply(event)
        folded.applied += 1
        draft.version = each.offset
        draft.newest = each
        folded.follow_ups += _follow_ups(event, draft)
    if touched:
        folded.states[user_id] = draft.finish(bounds)


class _Draft:
    """A user's state while events are applied to it: mutable, and never seen outside this module."""

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
        kind = _KINDS.get(type(event))
        if kind is not None:
            return self._insert(Interaction(event.item_id, kind, event.ts_ms, _strength(event)))  # type: ignore[union-attr]  # every type in _KINDS has an item_id
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


def _follow_ups(event: Event, draft: _Draft) -> Sequence[Event]:
    """What an event causes for other users. Ids are derived, so that a repetition is recognised as one."""
    if type(event) in _KINDS:
        return ()
    if isinstance(event, Identify) and event.anonymous_id != event.user_id:
        follow_up_id = _derived_id(event, "hand-over")
        return [HandOver(event_id=follow_up_id, user_id=event.anonymous_id, ts_ms=event.ts_ms, heir_id=event.user_id)]
    if isinstance(event, HandOver):
        return [
            Inherit(
                event_id=_derived_id(event, "inherit"),
                user_id=event.heir_id,
                ts_ms=event.ts_ms,
                interactions=tuple(draft.interactions),
                queries=tuple(draft.queries),
            )
        ]
    if isinstance(event, Forget):
        return [Forget(event_id=_derived_id(event, alias), user_id=alias, ts_ms=event.ts_ms) for alias in draft.aliases]
    return ()


def _derived_id(event: Event, what_for: str) -> str:
    """`<event id>/<what for>`; hashed where that is longer than an id may be, or the follow-up would be refused."""
    derived = f"{event.event_id}/{what_for}"
    if len(derived) <= MAX_ID_LENGTH:
        return derived
    return blake2b(derived.encode(), digest_size=16).hexdigest()


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
