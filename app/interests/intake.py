"""From raw records of the `events` topic to events worth folding; the rest becomes dead letters.

Bad data is a value here, never an exception. What is tolerated: a null key (the user id is in the event), unknown
fields, unknown items, events older than the newest one, events sent twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from msgspec import Struct

from app.contracts.dead_letters import DeadLetter, DeadReason, Origin, excerpt
from app.contracts.events import Event, InvalidEvent, decode_event, is_internal
from app.contracts.recommendations import NEWCOMER_ID

_RESERVED_KEY: Final = NEWCOMER_ID.encode()


class SourceRecord(Protocol):
    """A record as every Kafka client hands it over; `timestamp` in ms since 1970."""

    # ruff: noqa: D102  # the names are Kafka's
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...


class ReceivedEvent(Struct, frozen=True, gc=False):
    """A valid event with its place in the log; `received_ts_ms` is when Kafka had it."""

    event: Event
    offset: int
    received_ts_ms: int


@dataclass(frozen=True, slots=True)
class IntakeLimits:
    """What an event may be."""

    max_event_bytes: int
    max_future_ms: int


@dataclass(frozen=True, slots=True)
class Intake:
    """A partition's records, sorted into events and dead letters.

    Attributes:
        events: each user's, in log order, by the user's key (the id in UTF-8).
        dead_letters: the rest.
    """

    events: dict[bytes, list[ReceivedEvent]]
    dead_letters: list[DeadLetter]


def take_in(records: Sequence[SourceRecord], limits: IntakeLimits) -> Intake:
    """Decode, check and group the records of one partition, in log order. Pure."""
    events: dict[bytes, list[ReceivedEvent]] = {}
    dead_letters: list[DeadLetter] = []
    max_bytes, max_future_ms = limits.max_event_bytes, limits.max_future_ms
    for record in records:
        value = record.value
        if value is None:
            detail = "an event needs a value; to erase a user send a forget event"
            dead_letters.append(_dead(record, DeadReason.NULL_VALUE, detail))
            continue
        if len(value) > max_bytes and not is_internal(value):
            detail = f"the event has {len(value)} bytes; at most {max_bytes}"
            dead_letters.append(_dead(record, DeadReason.TOO_LARGE, detail))
            continue
        event = decode_event(value)
        if isinstance(event, InvalidEvent):
            dead_letters.append(_dead(record, DeadReason.INVALID, event.reason, event.field))
            continue
        key, received_ms = event.user_id.encode(), record.timestamp
        if key != record.key is not None:
            detail = "the record's key is not the event's user_id"
            dead_letters.append(_dead(record, DeadReason.KEY_MISMATCH, detail, "user_id"))
        elif event.ts_ms > received_ms + max_future_ms:
            ahead_s = (event.ts_ms - received_ms) // 1000
            detail = f"ts lies {ahead_s} s after Kafka received the event; at most {max_future_ms // 1000} s"
            dead_letters.append(_dead(record, DeadReason.FUTURE, detail, "ts"))
        elif key == _RESERVED_KEY:
            detail = f"the user id {NEWCOMER_ID} is kept for the lists of newcomers"
            dead_letters.append(_dead(record, DeadReason.INVALID, detail, "user_id"))
        else:
            received = ReceivedEvent(event, record.offset, received_ms)
            if key in events:
                events[key].append(received)
            else:
                events[key] = [received]
    return Intake(events, dead_letters)


def _dead(record: SourceRecord, reason: DeadReason, detail: str, field: str = "") -> DeadLetter:
    return DeadLetter(
        reason=reason,
        detail=detail,
        field=field,
        origin=Origin(record.topic, record.partition, record.offset, record.timestamp),
        key=None if record.key is None else record.key[:256].decode(errors="replace"),
        payload=excerpt(record.value),
        payload_bytes=len(record.value or b""),
    )
