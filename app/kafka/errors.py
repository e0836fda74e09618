"""What went wrong with Kafka, and whether it may pass."""

from aiokafka.errors import KafkaError, KafkaTimeoutError


def may_pass(error: BaseException) -> bool:
    """Whether doing the same again can help: what Kafka calls retriable, and time-outs, which aiokafka does not."""
    return isinstance(error, TimeoutError | KafkaTimeoutError) or (
        isinstance(error, KafkaError) and bool(error.retriable)
    )
