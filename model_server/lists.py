"""Scored requests -> the messages that go to Kafka. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.contracts.dead_letters import DeadLetter, DeadReason, Origin, encode_dead_letter, excerpt
from app.contracts.recommendations import Cause, Recommendations, encode_recommendations
from app.interests.state import UserState
from app.kafka.outgoing import Outgoing
from app.surfaces.compose import recommendation_id
from model_server.requests import Request, UnreadableRequest
from model_server.scoring.scorer import Lists

_MAX_KEY_BYTES = 256


@dataclass(frozen=True, slots=True)
class Edition:
    """What all lists of this process share."""

    topic: str
    model_version: str
    variant: str


@dataclass(frozen=True, slots=True)
class Stamps:
    """When Kafka had a request, and when its lists were made: ms since 1970."""

    requested_ts_ms: int
    generated_ts_ms: int


def recommendations_of(
    user_id: str, state: UserState, lists: Lists, edition: Edition, stamps: Stamps
) -> Recommendations:
    """One user's lists with everything that travels along."""
    return Recommendations(
        user_id=user_id,
        recommendation_id=recommendation_id(user_id, state.state_version, edition.model_version, edition.variant),
        state_version=state.state_version,
        requested_ts_ms=stamps.requested_ts_ms,
        generated_ts_ms=stamps.generated_ts_ms,
        model_version=edition.model_version,
        variant=edition.variant,
        cause=Cause(state.cause.event_id, state.cause.ts_ms, state.cause.received_ts_ms),
        lists=lists,
    )


def list_messages(requests: Sequence[Request], lists: Sequence[Lists], edition: Edition, now_ms: int) -> list[Outgoing]:
    """The messages of a batch.

    Args:
        requests: users scored and users forgotten, mixed.
        lists: of those scored, in their order.
        edition: what they share.
        now_ms: when the lists were made.
    """
    made = iter(lists)
    messages = []
    for request in requests:
        value = None
        if request.state is not None:
            stamps = Stamps(request.timestamp_ms, now_ms)
            whole = recommendations_of(request.user_id, request.state, next(made), edition, stamps)
            value = encode_recommendations(whole)
        # Same key, same number of partitions, same hash: the request's partition is the list's.
        messages.append(Outgoing(edition.topic, request.partition, request.user_id.encode(), value))
    return messages


def dead_letter_message(unreadable: UnreadableRequest, source_topic: str, dead_letters_topic: str) -> Outgoing:
    """The message that sets a bad request aside."""
    record = unreadable.record
    letter = DeadLetter(
        reason=DeadReason.INVALID,
        detail=unreadable.reason,
        origin=Origin(source_topic, record.partition, record.offset, record.timestamp),
        key=None if record.key is None else record.key[:_MAX_KEY_BYTES].decode(errors="replace"),
        payload=excerpt(record.value),
        payload_bytes=len(record.value or b""),
    )
    return Outgoing(dead_letters_topic, 0, record.key, encode_dead_letter(letter))
