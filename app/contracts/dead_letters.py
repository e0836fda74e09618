"""Input that could not be used: the messages of the `dead-letters` topic (JSON, key as it came)."""

import base64
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct

SCHEMA_VERSION: Final = 1
MAX_PAYLOAD_BYTES: Final = 4_096


class DeadReason(StrEnum):
    """Why a record was set aside; also the label of the metric that counts them."""

    INVALID = "invalid"
    NULL_VALUE = "null_value"
    KEY_MISMATCH = "key_mismatch"
    TOO_LARGE = "too_large"
    FUTURE = "future"


class Origin(Struct, frozen=True):
    """Where the record lies; `timestamp` is Kafka's, in ms since 1970."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int = msgspec.field(name="timestamp")


class DeadLetter(Struct, frozen=True, kw_only=True):
    """One unusable record: what is wrong, where it came from, and its first bytes (base64)."""

    schema_version: int = SCHEMA_VERSION
    reason: DeadReason
    detail: str
    field: str = ""
    origin: Origin
    key: str | None = None
    payload: str = ""
    payload_bytes: int = 0


_decoder = msgspec.json.Decoder(DeadLetter)
_encoder = msgspec.json.Encoder()


def excerpt(value: bytes | None) -> str:
    """The first bytes of a record, base64: enough to see what it was, bounded so that it always fits."""
    return base64.b64encode((value or b"")[:MAX_PAYLOAD_BYTES]).decode()


def decode_dead_letter(value: bytes) -> DeadLetter:
    """The dead letter in these bytes.

    Raises:
        msgspec.DecodeError: the bytes are none.
    """
    return _decoder.decode(value)


def encode_dead_letter(letter: DeadLetter) -> bytes:
    """The dead letter as JSON bytes."""
    return _encoder.encode(letter)
