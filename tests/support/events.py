"""Hand-made records of the events topic, for tests of the pure core."""

from dataclasses import dataclass

from app.contracts.events import Event, encode_event
from app.interests.intake import ReceivedEvent

NOON_MS = 1_790_000_000_000


@dataclass(frozen=True)
class Record:
    """A Kafka record as the clients hand it over."""

    value: bytes | None
    key: bytes | None = None
    offset: int = 0
    timestamp: int = NOON_MS


def received(*events: Event, first_offset: int = 0) -> list[ReceivedEvent]:
    """The events as the log holds them: one offset after the other, one millisecond apart."""
    return [
        ReceivedEvent(event, first_offset + place, NOON_MS + first_offset + place) for place, event in enumerate(events)
    ]


def record(event: Event, offset: int = 0) -> Record:
    """The event as a record with its user's key."""
    return Record(encode_event(event), event.user_id.encode(), offset)
