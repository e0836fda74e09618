"""What riverrun remembers of one user, and its bytes.

The same bytes are the row of the RocksDB table, the row of its changelog and the message of `score-requests`:
a state is encoded once per batch, whoever reads it. First byte: schema version. Rest: msgpack arrays.

Bounded: the newest interactions in full, older ones as one small record per item, both limited in number and age.
"""

from enum import IntEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from app.errors import StateError

SCHEMA_VERSION: Final = 1
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


class UserState(Struct, frozen=True, array_like=True, gc=False):
    """Everything remembered of one user.

    Attributes:
        state_version: offset in `events` of the newest applied event; an event at or below it is a replay.
        cause: that event.
        interactions: the newest ones, oldest first by event time.
        older: items whose interactions left `interactions`, in the order in which they left.
        queries: newest searches, oldest first.
        recent_events: hashes of the newest event ids, by which an event sent twice is recognised.
        aliases: anonymous ids whose interests were merged into these; forgotten together.
    """

    state_version: int
    cause: StateCause
    interactions: list[Interaction]
    older: dict[str, OlderItem]
    queries: list[Query]
    recent_events: list[int]
    aliases: list[str]


_decoder = msgspec.msgpack.Decoder(UserState)
_encoder = msgspec.msgpack.Encoder()


def encode_state(state: UserState) -> bytes:
    """The state's bytes: schema version, then msgpack."""
    return _PREFIX + _encoder.encode(state)


def decode_state(value: bytes) -> UserState:
    """The state in these bytes.

    Raises:
        StateError: they were written by another schema version, or are no state.
    """
    if value[:1] != _PREFIX:
        raise StateError(
            f"A user's state has schema version {value[0] if value else 'none'}, this riverrun reads {SCHEMA_VERSION}.",
            hint="Run the riverrun that wrote it, or rebuild the state by replaying the events topic.",
        )
    try:
        return _decoder.decode(memoryview(value)[1:])
    except msgspec.DecodeError as error:
        raise StateError(f"A user's state cannot be read: {error}.") from error


def known_items(state: UserState) -> set[str]:
    """Every item this user has had to do with, as far as the state remembers."""
    return {interaction.item_id for interaction in state.interactions} | state.older.keys()
