"""What riverrun remembers of one user, and its bytes.

The same bytes are the row of the RocksDB table, the row of its changelog and the message of `score-requests`:
a state is encoded once per batch, whoever reads it. First byte: schema version. Rest: msgpack arrays.

Bounded: the newest interactions in full, older ones as one small record per item, both limited in number and age.
Made to be appended to: an event that comes in order adds a few bytes and reads nothing of what was before.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from itertools import starmap
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Raw, Struct
from msgspec.structs import astuple

from app.errors import StateError
from app.interests.columns import (
    MOST_COUNTED,
    RECORD,
    pack_ids,
    pack_strength,
    pack_time,
    unpack_ids,
    unpack_strengths,
    unpack_times,
)
from app.interests.upgrade import VERSION_BEFORE, upgraded

SCHEMA_VERSION: Final = 3
_PREFIX: Final = bytes([SCHEMA_VERSION])

MAX_ID_LENGTH: Final = 256
Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID_LENGTH)]
TimestampMs = Annotated[int, Meta(ge=0, le=32_503_680_000_000, description="milliseconds since 1970, UTC")]
QueryText = Annotated[str, Meta(min_length=1, max_length=2_000)]


class Kind(IntEnum):
    """What a user did to an item; the numbers are on disk, so they never change."""

    VIEW = 1
    CLICK = 2
    ADD_TO_CART = 3
    REMOVE_FROM_CART = 4
    PURCHASE = 5
    LIKE = 6
    DISLIKE = 7
    RATE = 8


class Interaction(Struct, frozen=True, array_like=True, gc=False):
    """One thing a user did. `strength` is the rating in stars, the quantity bought, or 1; `place` where, if known."""

    item_id: Id
    kind: Kind
    ts_ms: TimestampMs
    strength: float = 1.0
    place: Id | None = None


_Count = Annotated[int, Meta(ge=1, le=MOST_COUNTED)]
_Bits = Annotated[int, Meta(ge=0, le=0xFFFF)]


class OlderItem(Struct, frozen=True, array_like=True, gc=False):
    """What is left of an item's interactions once they are no longer among the newest.

    An occasion is a run of interactions with the item, each at most `older.OCCASION_GAP_MS` after the one before: the
    click, the cart and the purchase of one visit are one. (last - first) / (occasions - 1) is the item's rhythm.

    Attributes:
        kinds: bit set: bit k is on when an interaction of `Kind(k)` is behind it.
        count: interactions; at most 65,535 here and below.
        occasions: how often, counted in occasions.
        places: bit set: bit n is on when one happened at the user's place n; bit 0: at a place that is not known.
        decayed: sum over occasions of `older.DAILY_DECAY` ** (days from the occasion's beginning to `last_ts_ms`).
        last_ts_ms, first_ts_ms: of the interactions.
    """

    kinds: _Bits
    count: _Count
    occasions: _Count
    places: _Bits
    decayed: Annotated[float, Meta(ge=0, le=MOST_COUNTED)]
    last_ts_ms: TimestampMs
    first_ts_ms: TimestampMs


class OlderItems(Struct, frozen=True, array_like=True, gc=False):
    """Items whose interactions left the newest ones, in the order in which they left: ids, and a record each."""

    ids: bytes
    records: bytes

    @classmethod
    def of(cls, items: Mapping[str, OlderItem]) -> "OlderItems":
        """These, in their order."""
        return cls(pack_ids(list(items)), b"".join([RECORD.pack(*astuple(each)) for each in items.values()]))

    def item_ids(self) -> list[str]:
        """The ids."""
        return unpack_ids(self.ids, len(self.records) // RECORD.size)

    def items(self) -> dict[str, OlderItem]:
        """Each of them."""
        return dict(zip(self.item_ids(), starmap(OlderItem, RECORD.iter_unpack(self.records)), strict=True))


class Place(Struct, frozen=True, array_like=True, gc=False):
    """Where a user did something; the newest time there is `last_ts_ms` or stands in the columns."""

    place_id: Id
    last_ts_ms: TimestampMs = 0


class KnownPlaces(Struct, frozen=True, array_like=True, gc=False):
    """The places that a user is known to come to, the first of them number 1: ids, and a time of each."""

    ids: list[str]
    times: bytes

    @classmethod
    def of(cls, places: Sequence[Place]) -> "KnownPlaces":
        """These, in their order."""
        return cls([place.place_id for place in places], b"".join([pack_time(place.last_ts_ms) for place in places]))

    def places(self) -> list[Place]:
        """Each of them."""
        return list(map(Place, self.ids, unpack_times(self.times)))


class Query(Struct, frozen=True, array_like=True, gc=False):
    """One search."""

    text: QueryText
    ts_ms: TimestampMs


class StateCause(Struct, frozen=True, array_like=True, gc=False):
    """The newest event (by offset) that changed the state: what every list made from it was caused by."""

    event_id: str
    event_type: str
    ts_ms: int
    received_ts_ms: int


_encoder = msgspec.msgpack.Encoder()
NO_OLDER: Final = Raw(_encoder.encode(OlderItems(b"", b"")))
NO_PLACES: Final = Raw(_encoder.encode(KnownPlaces([], b"")))
NOTHING: Final = Raw(b"\x90")  # msgpack: an empty array
_ARRAY: Final = {"type": "array"}
_OLDER: Final = (
    "two byte strings: the ids, msgpack strings one behind the other; and of each item 28 bytes, little-endian: "
    "uint16 kinds, count, occasions, places, float32 decayed, int64 last and first time, ms since 1970"
)


class UserState(Struct, frozen=True, array_like=True, gc=False):
    """Everything remembered of one user. What most events do not touch stays encoded.

    Attributes:
        state_version: offset in `events` of the newest applied event; an event at or below it is a replay.
        cause: that event.
        ids, kinds, times, strengths: the newest interactions, oldest first by event time (`app.interests.columns`).
        recent_events: 8-byte hashes of the newest event ids, by which an event sent twice is recognised.
        older: items whose interactions left the newest ones: OlderItems.
        queries: newest searches, oldest first: list[Query].
        aliases: anonymous ids whose interests were merged into these; forgotten together: list[str].
        places: where each of the newest interactions happened, n for the n-th of `known_places`, 0 where it is not
            known; empty of a user who never told a place.
        known_places: KnownPlaces, at most `places.MOST_PLACES`. One that leaves is forgotten everywhere, so that a
            number never comes to mean another place.
    """

    state_version: int
    cause: StateCause
    ids: Annotated[bytes, Meta(description="msgpack strings, one behind the other")]
    kinds: Annotated[bytes, Meta(description="a byte each")]
    times: Annotated[bytes, Meta(description="int64 each, little-endian, ms since 1970")]
    strengths: Annotated[bytes, Meta(description="float32 each, little-endian")]
    recent_events: Annotated[bytes, Meta(description="8 bytes each")]
    older: Annotated[Raw, Meta(description=_OLDER, extra_json_schema=_ARRAY)]
    queries: Annotated[Raw, Meta(description="[text, ts_ms] each", extra_json_schema=_ARRAY)]
    aliases: Annotated[Raw, Meta(description="a user id each", extra_json_schema=_ARRAY)]
    places: Annotated[bytes, Meta(description="a byte each, or none at all")]
    known_places: Annotated[Raw, Meta(description="place ids; int64 times as above", extra_json_schema=_ARRAY)]

    @classmethod
    def of(
        cls,
        state_version: int,
        cause: StateCause,
        interactions: Sequence[Interaction] = (),
        *,
        older: Mapping[str, OlderItem] | None = None,
        queries: Sequence[Query] = (),
        recent_events: bytes = b"",
    ) -> "UserState":
        """The state that holds these; `interactions` oldest first, at no more places than a state may know."""
        number_of = {
            place: n for n, place in enumerate(dict.fromkeys(each.place for each in interactions if each.place), 1)
        }
        return cls(
            state_version,
            cause,
            ids=pack_ids([each.item_id for each in interactions]),
            kinds=bytes(each.kind for each in interactions),
            times=b"".join(pack_time(each.ts_ms) for each in interactions),
            strengths=b"".join(pack_strength(each.strength) for each in interactions),
            recent_events=recent_events,
            older=Raw(_encoder.encode(OlderItems.of(older or {}))),
            queries=Raw(_encoder.encode(queries)),
            aliases=NOTHING,
            places=bytes(number_of.get(each.place or "", 0) for each in interactions) if number_of else b"",
            known_places=Raw(_encoder.encode(KnownPlaces.of([Place(place) for place in number_of]))),
        )

    def item_ids(self) -> list[str]:
        """The item of every interaction."""
        return unpack_ids(self.ids, len(self.kinds))

    def interactions(self) -> list[Interaction]:
        """The interactions one by one."""
        known = [None, *decode_places(self.known_places).ids]
        places = map(known.__getitem__, self.places or bytes(len(self.kinds)))
        times, strengths = unpack_times(self.times), unpack_strengths(self.strengths)
        columns = zip(self.item_ids(), map(Kind, self.kinds), times, strengths, places, strict=True)
        return list(starmap(Interaction, columns))

    def older_items(self) -> dict[str, OlderItem]:
        """`older`, decoded."""
        return decode_older(self.older).items()


decode_older: Final = msgspec.msgpack.Decoder(OlderItems).decode
decode_places: Final = msgspec.msgpack.Decoder(KnownPlaces).decode
decode_queries: Final = msgspec.msgpack.Decoder(list[Query]).decode
decode_aliases: Final = msgspec.msgpack.Decoder(list[str]).decode
_decoder = msgspec.msgpack.Decoder(UserState)
NEVER_SEEN: Final = UserState.of(-1, StateCause("", "", 0, 0))


def encode_state(state: UserState) -> bytes:
    """The state's bytes: schema version, then msgpack."""
    return _PREFIX + _encoder.encode(state)


def decode_state(value: bytes) -> UserState:
    """The state in these bytes; one of the schema version before is read as what it says in this one.

    Raises:
        StateError: they were written by yet another schema version, or are no state.
    """
    try:
        if value and value[0] == SCHEMA_VERSION:
            return _decoder.decode(value[1:])
        if value and value[0] == VERSION_BEFORE:
            return _decoder.decode(upgraded(value[1:]))
    except msgspec.DecodeError as error:
        raise StateError(f"A user's state cannot be read: {error}.") from error
    raise StateError(
        f"A user's state has schema version {value[0] if value else 'none'}, this riverrun reads {SCHEMA_VERSION}.",
        hint="Run the riverrun that wrote it, or rebuild the state by replaying the events topic.",
    )


def known_items(state: UserState) -> set[str]:
    """Every item this user has had to do with, as far as the state remembers."""
    return {*state.item_ids(), *state.older_items()}
