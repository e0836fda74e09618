"""What went wrong with Kafka, and whether it may pass."""

from typing import Final

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    KafkaTimeoutError,
    TopicAuthorizationFailedError,
)

from app.errors import KafkaForbidden

_FORBIDDEN: Final = (
    TopicAuthorizationFailedError,
    GroupAuthorizationFailedError,
    ClusterAuthorizationFailedError,
)


def may_pass(error: BaseException) -> bool:
    """Whether doing the same again can help: what Kafka calls retriable, and time-outs, which aiokafka does not."""
    return isinstance(error, TimeoutError | KafkaTimeoutError) or (
        isinstance(error, KafkaError) and bool(error.retriable)
    )


def forbidden(error: BaseException | None) -> KafkaForbidden | None:
    """What a person reads when Kafka took a permission away from a client at work; None: something else happened."""
    while error is not None:
        if isinstance(error, _FORBIDDEN):
            return KafkaForbidden(f"Kafka does not permit it: {error}.")
        error = error.__cause__
    return None
