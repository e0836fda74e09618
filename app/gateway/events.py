"""What a POST may bring: one event or a batch, checked as a whole before anything of it is sent. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from app.contracts.events import Event, HandOver, Identify, Inherit, InvalidEvent, decode_event, encode_event
from app.contracts.recommendations import NEWCOMER_ID
from app.gateway.auth import Caller
from app.gateway.problems import Problem

MAX_EVENTS: Final = 500
_INTERNAL_PREFIX: Final = "riverrun."
_SHOWN_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class EventLimits:
    """What the agents take; anything else would become a dead letter that the sender never sees."""

    max_event_bytes: int
    max_future_ms: int


@dataclass(frozen=True, slots=True)
class Outbound:
    """An event on its way to Kafka, as the bytes that go there."""

    event_id: str
    user_id: str
    value: bytes


def read_events(
    body: bytes, caller: Caller, limits: EventLimits, now_ms: int, new_id: Callable[[], str]
) -> Sequence[Outbound] | Problem:
    """The events in a body, or the first thing that is wrong with any of them.

    Args:
        body: JSON, one event or an array of them.
        caller: who sends them.
        limits: of each.
        now_ms: the time of events that bring none, ms since 1970.
        new_id: makes ids for events that bring none.
    """
    try:
        brought = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Problem(400, "malformed_json", f"The body is no JSON: {_short(error)}.")
    batch = brought if isinstance(brought, list) else [brought]
    if not batch:
        return Problem(422, "invalid_event", "An array of events needs at least one.")
    if len(batch) > MAX_EVENTS:
        return Problem(413, "too_many_events", f"{len(batch)} events in one request; at most {MAX_EVENTS}.")
    outbound: list[Outbound] = []
    for index, fields in enumerate(batch):
        read = _read(fields, caller, limits, now_ms, new_id)
        if isinstance(read, Problem):
            return msgspec.structs.replace(read, index=index) if isinstance(brought, list) else read
        outbound.append(read)
    return outbound


def _read(
    fields: Any, caller: Caller, limits: EventLimits, now_ms: int, new_id: Callable[[], str]
) -> Outbound | Problem:
    if not isinstance(fields, dict):
        return Problem(422, "invalid_event", f"An event is an object, got {_short(fields)}.")
    try:
        whole = msgspec.json.encode({"event_id": new_id(), "ts": now_ms} | fields)
    except UnicodeEncodeError:
        return Problem(422, "invalid_event", "A text holds half of a surrogate pair, which is no character.")
    event = decode_event(whole)
    if isinstance(event, InvalidEvent):
        return Problem(422, "invalid_event", event.reason, event.field)
    if isinstance(event, HandOver | Inherit):
        return Problem(422, "invalid_event", f"Types that begin with {_INTERNAL_PREFIX} are riverrun's own.", "type")
    value = encode_event(event)
    return _forbidden(event, caller, now_ms + limits.max_future_ms) or (
        Problem(413, "event_too_large", f"The event has {len(value)} bytes; at most {limits.max_event_bytes}.")
        if len(value) > limits.max_event_bytes
        else Outbound(event.event_id, event.user_id, value)
    )


def _forbidden(event: Event, caller: Caller, latest_ts_ms: int) -> Problem | None:
    """What is wrong with a well-formed event."""
    if event.user_id == NEWCOMER_ID:
        return Problem(422, "invalid_event", f"The user id {NEWCOMER_ID} is riverrun's own.", "user_id")
    if "\0" in event.user_id:
        return Problem(422, "invalid_event", "A user id cannot have the character NUL in it.", "user_id")
    if not caller.may_act_for(event.user_id):
        return Problem(403, "forbidden", "The token is for another user's events.", "user_id")
    if isinstance(event, Identify) and not caller.is_server:
        # Whoever may name any anonymous id may take its owner's interests.
        return Problem(403, "forbidden", "identify needs an API key: your server knows who logged in.", "type")
    if event.ts_ms > latest_ts_ms:
        return Problem(422, "invalid_event", "ts lies too far in the future.", "ts")
    return None


def _short(what: object) -> str:
    return repr(str(what))[1:-1][:_SHOWN_CHARACTERS]
