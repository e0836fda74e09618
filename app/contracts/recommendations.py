"""The newest lists of one user: the messages of the `recommendations` topic (JSON, key = user id, compacted).

The higher `state_version` wins: it is the offset in `events` of the newest event behind the lists, so a late or
repeated message never replaces a newer one. A null value means that the user was forgotten.
"""

from typing import Final

import msgspec
from msgspec import Struct

SCHEMA_VERSION: Final = 1

NEWCOMER_ID: Final = "riverrun.newcomer"
"""The user of whom nothing is known: this key's lists are for whoever has none yet. Their `state_version` is a time."""


class RecommendedItem(Struct, frozen=True, gc=False):
    """One place of a list. `source` is what contributed most to its being here, `reason` is for the shopper."""

    item_id: str
    score: float
    source: str
    reason: str


class Cause(Struct, frozen=True):
    """The newest event behind a list: its id, its own time, and when Kafka had it (both in ms since 1970)."""

    event_id: str
    ts_ms: int = msgspec.field(name="ts")
    received_ts_ms: int = msgspec.field(name="received_ts")


class Recommendations(Struct, frozen=True, kw_only=True):
    """All lists of one user, made at one moment by one model version from one state.

    `cause.received_ts`, `requested_ts` and `generated_ts` are the stations of the newest event, in ms since 1970: Kafka
    had it; Kafka had the state that it changed; the lists were made.
    """

    schema_version: int = SCHEMA_VERSION
    user_id: str
    recommendation_id: str
    state_version: int
    requested_ts_ms: int | None = msgspec.field(name="requested_ts", default=None)
    generated_ts_ms: int = msgspec.field(name="generated_ts")
    model_version: str
    variant: str
    cause: Cause
    lists: dict[str, tuple[RecommendedItem, ...]]


_decoder = msgspec.json.Decoder(Recommendations)
_encoder = msgspec.json.Encoder()


def decode_recommendations(value: bytes) -> Recommendations:
    """The lists in these bytes.

    Raises:
        msgspec.DecodeError: the bytes are none; only riverrun writes this topic, so that is a broken program.
    """
    return _decoder.decode(value)


def encode_recommendations(recommendations: Recommendations) -> bytes:
    """The lists as JSON bytes."""
    return _encoder.encode(recommendations)
