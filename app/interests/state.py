"""What riverrun remembers of one user, and its bytes.

The same bytes are the row of the RocksDB table, the row of its changelog and the message of `score-requests`:
a state is encoded once per batch, whoever reads it. First byte: schema version. Rest: msgpack arrays.

Bounded: the newest interactions in full, older ones as one small record per item, both limited in number and age.
Made to be appended to: an event that comes in order adds a few bytes and reads nothing of what was before.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Raw, Struct

from app.errors import StateError
from app.interests.columns import pack_ids, pack_strength, pack_time, unpack_ids, unpack_strengths, unpack_times

SCHEMA_VERSION: Final = 2
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
    """One thing a user did. `strength` is the rating in stars, the quantity bought, or 1."""

    item_id: Id
    kind: Kind
    ts_ms: TimestampMs
    strength: float = 1.0


class OlderItem(Struct, frozen=True, array_like=True, gc=False):
    """What is left of an item's interactions once they are no longer among the newest.

    `kinds` is a bit set: bit k is on when an interaction of `Kind(k)` is behind it.
    """

    kinds: int
    count: int
    last_ts_ms: int


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
NO_OLDER: Final = Raw(b"\x80")  # msgpack: an empty map
NOTHING: Final = Raw(b"\x90")  # an empty array
_OBJECT: Final = {"type": "object"}
_ARRAY: Final = {"type": "array"}


class UserState(Struct, frozen=True, array_like=True, gc=False):
    """Everything remembered of one user. What most events do not touch stays encoded.

    Attributes:
        state_version: offset in `events` of the newest applied event; an event at or below it is a replay.
        cause: that event.
        ids, kinds, times, strengths: the newest interactions, oldest first by event time (`app.interests.columns`).
        recent_events: 8-byte hashes of the newest event ids, by which an event sent twice is recognised.
        older: items whose interactions left the newest ones, in the order in which they left: dict[str, OlderItem].
        queries: newest searches, oldest first: list[Query].
        aliases: anonymous ids whose interests were merged into these; forgotten together: list[str].
    """

    state_version: int
    cause: StateCause
    ids: Annotated[bytes, Meta(description="msgpack strings, one behind the other")]
    kinds: Annotated[bytes, Meta(description="a byte each")]
    times: Annotated[bytes, Meta(description="int64 each, little-endian, ms since 1970")]
    strengths: Annotated[bytes, Meta(description="float32 each, little-endian")]
    recent_events: Annotated[bytes, Meta(description="8 bytes each")]
    older: Annotated[Raw, Meta(description="item id -> [kinds, count, last_ts_ms]", extra_json_schema=_OBJECT)]
    queries: Annotated[Raw, Meta(description="[text, ts_ms] each", extra_json_schema=_ARRAY)]
    aliases: Annotated[Raw, Meta(description="a user id each", extra_json_schema=_ARRAY)]

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
        """The state that holds these; `interactions` oldest first."""
        return cls(
            state_version,
            cause,
            ids=pack_ids([each.item_id for each in interactions]),
            kinds=bytes(each.kind for each in interactions),
            times=b"".join(pack_time(each.ts_ms) for each in interactions),
            strengths=b"".join(pack_strength(each.strength) for each in interactions),
            recent_events=recent_events,
            older=Raw(_encoder.encode(older or {})),
            queries=Raw(_encoder.encode(queries)),
            aliases=NOTHING,
        )

    def item_ids(self) -> list[str]:
        """The item of every interaction."""
        return unpack_ids(self.ids, len(self.kinds))

    def interactions(self) -> list[Interaction]:
        """The interactions one by one."""
        each = zip(self.item_ids(), self.kinds, unpack_times(self.times), unpack_strengths(self.strengths), strict=True)
        return [Interaction(item_id, Kind(kind), ts_ms, strength) for item_id, kind, ts_ms, strength in each]

    def older_items(self) -> dict[str, OlderItem]:
        """`older`, decoded."""
        return decode_older(self.older)


decode_older: Final = msgspec.msgpack.Decoder(dict[str, OlderItem]).decode
decode_queries: Final = msgspec.msgpack.Decoder(list[Query]).decode
decode_aliases: Final = msgspec.msgpack.Decoder(list[str]).decode
_decoder = msgspec.msgpack.Decoder(UserState)
NEVER_SEEN: Final = UserState.of(-1, StateCause("", "", 0, 0))


def encode_state(state: UserState) -> bytes:
    """The state's bytes: schema version, then msgpack."""
    return _PREFIX + _encoder.encode(state)


def decode_state(value: bytes) -> UserState:
    """The state in these bytes.

    Raises:
        StateError: they were written by another schema version, or are no state.
    """
    if not value or value[0] != SCHEMA_VERSION:
        raise StateError(
            f"A user's state has schema version {value[0] if value else 'none'}, this riverrun reads {SCHEMA_VERSION}.",
            hint="Run the riverrun that wrote it, or rebuild the state by replaying the events topic.",
        )
    try:
        return _decoder.decode(value[1:])
    except msgspec.DecodeError as error:
        raise StateError(f"A user's state cannot be read: {error}.") from error


def known_items(state: UserState) -> set[str]:
    """Every item this user has had to do with, as far as the state remembers."""
    return {*state.item_ids(), *state.older_items()}
