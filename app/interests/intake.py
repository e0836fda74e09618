"""From raw records of the `events` topic to events worth folding; the rest becomes dead letters.

Bad data is a value here, never an exception. What is tolerated: a null key (the user id is in the event), unknown
fields, unknown items, events older than the newest one, events sent twice.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from msgspec import Struct

from app.contracts.dead_letters import DeadLetter, DeadReason, Origin, excerpt
from app.contracts.events import Event, InvalidEvent, decode_event, is_internal
from app.contracts.recommendations import NEWCOMER_ID

NOBODY: Final = b""
"""In the place of a user's key, where a record tells none."""


class SourceRecord(Protocol):
    """A record of a known partition, as Kafka clients hand it over; `timestamp` in ms since 1970."""

    # ruff: noqa: D102  # the names are Kafka's
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
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
class Refusal:
    """A record that is no event: what is wrong, and the field's name, empty where there is none."""

    record: SourceRecord
    reason: DeadReason
    detail: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class IntakeLimits:
    """What an event may be."""

    max_event_bytes: int
    max_future_ms: int


def by_user(records: Iterable[SourceRecord]) -> dict[bytes, list[SourceRecord]]:
    """A partition's records by the key of the user whose events they should be, each user's in log order.

    Judges nothing: that is `take_in`'s. A record without a key belongs to the user that its event names.
    """
    users: dict[bytes, list[SourceRecord]] = {}
    for record in records:
        key = record.key
        if key is None:
            key = _user_of(record)
        if key in users:
            users[key].append(record)
        else:
            users[key] = [record]
    return users


def take_in(
    records: Iterable[SourceRecord], limits: IntakeLimits, refuse: Callable[[Refusal], None]
) -> list[ReceivedEvent]:
    """The events in these records, in their order; `refuse` is told of what is none."""
    events: list[ReceivedEvent] = []
    max_bytes, max_future_ms = limits.max_event_bytes, limits.max_future_ms
    for record in records:
        value = record.value
        if value is None:
            detail = "an event needs a value; to erase a user send a forget event"
            refuse(Refusal(record, DeadReason.NULL_VALUE, detail))
            continue
        if len(value) > max_bytes and not is_internal(value):
            detail = f"the event has {len(value)} bytes; at most {max_bytes}"
            refuse(Refusal(record, DeadReason.TOO_LARGE, detail))
            continue
        event = decode_event(value)
        if isinstance(event, InvalidEvent):
            refuse(Refusal(record, DeadReason.INVALID, event.reason, event.field))
            continue
        key, received_ms = record.key, record.timestamp
        if "\0" in event.user_id:  # the table keeps its own books under such keys
            refuse(Refusal(record, DeadReason.INVALID, "a user id cannot have the character NUL in it", "user_id"))
        elif key is not None and key != event.user_id.encode():
            detail = "the record's key is not the event's user_id"
            refuse(Refusal(record, DeadReason.KEY_MISMATCH, detail, "user_id"))
        elif event.ts_ms > received_ms + max_future_ms:
            ahead_s = (event.ts_ms - received_ms) // 1000
            detail = f"ts lies {ahead_s} s after Kafka received the event; at most {max_future_ms // 1000} s"
            refuse(Refusal(record, DeadReason.FUTURE, detail, "ts"))
        elif event.user_id == NEWCOMER_ID:
            detail = f"the user id {NEWCOMER_ID} is kept for the lists of newcomers"
            refuse(Refusal(record, DeadReason.INVALID, detail, "user_id"))
        else:
            events.append(ReceivedEvent(event, record.offset, received_ms))
    return events


def dead_letter(refusal: Refusal, topic: str, partition: int) -> DeadLetter:
    """The message about a record of this partition."""
    record = refusal.record
    return DeadLetter(
        reason=refusal.reason,
        detail=refusal.detail,
        field=refusal.field,
        origin=Origin(topic, partition, record.offset, record.timestamp),
        key=None if record.key is None else record.key[:256].decode(errors="replace"),
        payload=excerpt(record.value),
        payload_bytes=len(record.value or b""),
    )


def _user_of(record: SourceRecord) -> bytes:
    event = None if record.value is None else decode_event(record.value)
    return NOBODY if event is None or isinstance(event, InvalidEvent) else event.user_id.encode()
