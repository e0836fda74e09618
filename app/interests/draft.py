"""One user's state while events are applied to it: ordered by event time, always within its bounds. Pure.

Every rule works event by event, so that a state does not depend on how the log was cut into batches.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from app.contracts.events import Event, Identify, Inherit, Search, event_type
from app.interests import columns, places
from app.interests.columns import (
    STRENGTH_BYTES,
    TIME_BYTES,
    USUAL_STRENGTH,
    first_time,
    last_time,
    pack_byte,
    pack_id,
    pack_strength,
    pack_time,
)
from app.interests.intake import ReceivedEvent
from app.interests.item_kinds import ITEM_KINDS
from app.interests.older import Leaving, OlderBounds, merge, retire, without_place
from app.interests.places import MOST_PLACES, NOWHERE
from app.interests.state import (
    NEVER_SEEN,
    Interaction,
    KnownPlaces,
    Place,
    Query,
    StateCause,
    UserState,
    decode_aliases,
    decode_older,
    decode_places,
    decode_queries,
)

RECENT_EVENTS: Final = 32
HASH_BYTES: Final = 8
MAX_QUERY_CHARACTERS: Final = 200
MAX_ALIASES: Final = 64

_encode: Final = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is remembered of one user.

    Attributes:
        max_interactions: the newest ones that are kept in full.
        slack: so many more may gather before the surplus leaves, all at once: what leaves costs more than what comes,
            and between two cuts a history only grows at its end.
        max_items: of those whose interactions left.
        max_queries: the newest searches.
        max_age_ms: an interaction so much older than the newest one is dropped.
    """

    max_interactions: int = 50
    slack: int = 14
    max_items: int = 1_000
    max_queries: int = 10
    max_age_ms: int = 730 * 86_400_000

    @property
    def most_interactions(self) -> int:
        """How many there may ever be in full."""
        return self.max_interactions + self.slack


class Draft:
    """A user's state while events are applied to it: mutable, and never handed on; `finish` makes the new state."""

    __slots__ = (
        "_before", "_bounds", "_known", "_newest", "_newest_ms", "_oldest_ms", "aliases", "ids", "kinds",
        "known_places", "older", "places", "queries", "recent", "strengths", "times", "version",
    )  # fmt: skip

    def __init__(self, state: UserState | None, bounds: Bounds) -> None:
        self._before = state
        self._bounds = bounds
        self._newest: ReceivedEvent | None = None  # the last one that was applied
        start = NEVER_SEEN if state is None else state
        self.version = start.state_version
        self.ids, self.kinds, self.times, self.strengths = start.ids, start.kinds, start.times, start.strengths
        self.recent = start.recent_events
        self.older, self.queries, self.aliases = start.older, start.queries, start.aliases
        self.places, self.known_places = start.places, start.known_places
        self._known: KnownPlaces | None = None  # `known_places`, once an event asks
        self._oldest_ms, self._newest_ms = first_time(start.times), last_time(start.times)

    def remember(self, event_id: str) -> bool:
        """False when this event id is among the newest ones already."""
        # 64 bits: a false match among 32 ids would take 10^17 events.
        hashed = blake2b(event_id.encode(), digest_size=HASH_BYTES).digest()
        recent = self.recent
        if hashed in recent and any(
            recent.startswith(hashed, place) for place in range(0, len(recent), HASH_BYTES)
        ):  # the first test alone would also find it across two others
            return False
        self.recent = (recent + hashed)[-RECENT_EVENTS * HASH_BYTES :]
        return True

    def apply(self, received: ReceivedEvent) -> int:
        """Apply one new event; 1 when it came late (older than the newest interaction), else 0."""
        event = received.event
        self.version, self._newest = received.offset, received
        item_kind = ITEM_KINDS.get(type(event))
        if item_kind is None:
            self._apply_rare(event)
            return 0
        kind, strength = item_kind
        weight = USUAL_STRENGTH if strength is None else pack_strength(strength(event))
        told = event.place  # type: ignore[union-attr]  # these types have one
        place = b"" if told is None and not self.places else self._number_of(told, event.ts_ms)
        return self._add(event.item_id, kind, event.ts_ms, weight, place)  # type: ignore[union-attr]  # as above

    def may_know(self, alias: str) -> bool:
        """Whether the user may have had this anonymous id at a login since the last `Forget`: older ones made room."""
        aliases = decode_aliases(self.aliases)
        return alias in aliases or len(aliases) >= MAX_ALIASES

    def interactions(self) -> list[Interaction]:
        """The newest interactions, oldest first."""
        return self._state(NEVER_SEEN.cause).interactions()

    def finish(self) -> UserState | None:
        """The new state; the one before when nothing was applied; None when all was forgotten."""
        newest = self._newest
        if newest is None:
            return self._before
        event = newest.event
        return self._state(StateCause(event.event_id, event_type(event), event.ts_ms, newest.received_ts_ms))

    def _state(self, cause: StateCause) -> UserState:
        return UserState(
            self.version, cause, self.ids, self.kinds, self.times, self.strengths, self.recent,
            self.older, self.queries, self.aliases, self.places, self.known_places,
        )  # fmt: skip

    def _add(self, item_id: str, kind: bytes, ts_ms: int, strength: bytes, place: bytes) -> int:
        """Add an interaction where its time wants it; 1 when that is not the end."""
        late = ts_ms < self._newest_ms
        if late:
            self._insert(item_id, kind, ts_ms, strength, place)
        else:
            if place:
                self.places += place
            self.ids += pack_id(item_id)
            self.kinds += kind
            self.times += pack_time(ts_ms)
            self.strengths += strength
            self._newest_ms = ts_ms
        count, bounds = len(self.kinds), self._bounds
        if count == 1:
            self._oldest_ms = ts_ms
        elif count > bounds.most_interactions or self._newest_ms - self._oldest_ms > bounds.max_age_ms:
            self._cut()
        return int(late)

    def _insert(self, item_id: str, kind: bytes, ts_ms: int, strength: bytes, place: bytes) -> None:
        ids = columns.unpack_ids(self.ids, len(self.kinds))
        at = bisect_right(columns.unpack_times(self.times), ts_ms)
        ids.insert(at, item_id)
        self.ids = columns.pack_ids(ids)
        self.kinds = _inserted(self.kinds, at, kind)
        self.times = _inserted(self.times, at * TIME_BYTES, pack_time(ts_ms))
        self.strengths = _inserted(self.strengths, at * STRENGTH_BYTES, strength)
        self.places = _inserted(self.places, at, place)
        self._oldest_ms = first_time(self.times)

    def _cut(self) -> None:
        """Take the surplus, and what is too old, out of the newest interactions into the small records."""
        bounds = self._bounds
        ids, times = columns.unpack_ids(self.ids, len(self.kinds)), columns.unpack_times(self.times)
        oldest_ms = self._newest_ms - bounds.max_age_ms
        surplus = len(ids) - bounds.max_interactions if len(ids) > bounds.most_interactions else 0
        leaving = max(surplus, bisect_left(times, oldest_ms))
        left = self.places[:leaving]
        if any(left):
            self._know(places.left(decode_places(self.known_places), left, times[:leaving]))
        retired = map(Leaving, ids[:leaving], self.kinds, times, left or bytes(leaving))
        self.older = retire(self.older, list(retired), OlderBounds(bounds.max_items, oldest_ms))
        self.ids = columns.pack_ids(ids[leaving:])
        self.kinds = self.kinds[leaving:]
        self.times = self.times[leaving * TIME_BYTES :]
        self.strengths = self.strengths[leaving * STRENGTH_BYTES :]
        self.places = self.places[leaving:]
        self._oldest_ms = first_time(self.times)

    def _number_of(self, place_id: str | None, ts_ms: int) -> bytes:
        """What the column of places gets for a place; from the first place told on, that column is kept."""
        if place_id is None:
            return NOWHERE if self.places else b""
        if not self.places:
            self.places = NOWHERE * len(self.kinds)
        known = self._known
        if known is None:
            known = self._known = decode_places(self.known_places)
        if place_id in known.ids:
            return pack_byte(known.ids.index(place_id) + 1)
        return self._new_place(known, place_id, ts_ms)

    def _new_place(self, known: KnownPlaces, place_id: str, ts_ms: int) -> bytes:
        """Know one place more; where that is one too many, the one that was used least lately is forgotten."""
        leaving = len(known.ids)
        if leaving < MOST_PLACES:
            self._know(KnownPlaces([*known.ids, place_id], known.times + pack_time(ts_ms)))
        else:
            uses = places.last_uses(known, self.places, self.times)
            leaving = uses.index(min(uses))
            if ts_ms < uses[leaving]:
                return NOWHERE  # all the others were used more lately
            each = known.places()
            each[leaving] = Place(place_id, ts_ms)
            self._know(KnownPlaces.of(each))
            self.places = self.places.replace(pack_byte(leaving + 1), NOWHERE)
            self.older = without_place(self.older, leaving + 1)
        return pack_byte(leaving + 1)

    def _know(self, known: KnownPlaces) -> None:
        self._known, self.known_places = known, Raw(_encode(known))

    def _apply_rare(self, event: Event) -> None:
        if isinstance(event, Search):
            self._add_queries([Query(event.query[:MAX_QUERY_CHARACTERS], event.ts_ms)])
        elif isinstance(event, Identify):
            self._add_alias(event.anonymous_id, event.user_id)
        elif isinstance(event, Inherit):
            self._inherit(event)

    def _add_alias(self, alias: str, user_id: str) -> None:
        """The one that logged in last comes last; who did so least lately makes room."""
        aliases = decode_aliases(self.aliases)
        if alias == user_id or aliases[-1:] == [alias]:
            return
        others = [each for each in aliases if each != alias]
        self.aliases = Raw(_encode([*others, alias][-MAX_ALIASES:]))

    def _inherit(self, event: Inherit) -> None:
        """Take over what another did; what came by an earlier `Inherit` changes nothing."""
        known = {(own.item_id, own.kind, own.ts_ms) for own in self.interactions()}
        older = decode_older(self.older).items()
        for each in event.interactions:
            item = older.get(each.item_id)
            behind = item is not None and item.first_ts_ms <= each.ts_ms <= item.last_ts_ms
            if not behind and (each.item_id, each.kind, each.ts_ms) not in known:
                place = self._number_of(each.place, each.ts_ms)
                self._add(each.item_id, pack_byte(each.kind), each.ts_ms, pack_strength(each.strength), place)
        self._inherit_older(event)
        self._add_queries([query for query in event.queries if query not in decode_queries(self.queries)])

    def _inherit_older(self, event: Inherit) -> None:
        for place in event.places:
            self._number_of(place.place_id, place.last_ts_ms)
        table = places.translation(event.places, decode_places(self.known_places).ids)
        theirs = {
            item_id: replace(item, places=places.translated(item.places, table))
            for item_id, item in event.older.items()
        }
        if theirs:
            oldest_ms = self._newest_ms - self._bounds.max_age_ms
            self.older = merge(self.older, theirs, OlderBounds(self._bounds.max_items, oldest_ms))

    def _add_queries(self, new: list[Query]) -> None:
        queries = sorted([*decode_queries(self.queries), *new], key=_query_ts)
        # Not queries[-most:], which would be all of them for 0.
        self.queries = Raw(_encode(queries[max(0, len(queries) - self._bounds.max_queries) :]))


def _inserted(column: bytes, at: int, value: bytes) -> bytes:
    return column[:at] + value + column[at:]


def _query_ts(query: Query) -> int:
    return query.ts_ms
