"""Reading a whole topic without a consumer group: whoever needs all of it reads it, from where it likes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaConnectionError

from app.kafka.access import KafkaAccess
from app.kafka.publisher import unreachable
from app.kafka.stopping import stop_consumer
from app.kafka.topics import TopicSpec

_FETCH_MAX_WAIT_MS: Final = 250
_MAX_PARTITION_BYTES: Final = 1 << 20


@asynccontextmanager
async def open_tail(
    access: KafkaAccess, topic: TopicSpec, request_timeout_ms: int, *, client_id: str, gather_bytes: int = 1
) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of all partitions of the topic, at its beginning.

    Args:
        access: to Kafka.
        topic: what to read.
        request_timeout_ms: how long a request may take.
        client_id: how the broker's own logs and quotas call the reader.
        gather_bytes: so much is waited for at the broker, a quarter of a second at most; for a statistic, which need
            not know of every record at once.

    Raises:
        KafkaUnreachable: no broker answers, or none lets us in.
    """
    consumer = AIOKafkaConsumer(
        **access.arguments(),
        client_id=client_id,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=_FETCH_MAX_WAIT_MS,
        fetch_min_bytes=gather_bytes,
        max_partition_fetch_bytes=_MAX_PARTITION_BYTES,
        request_timeout_ms=request_timeout_ms,
        isolation_level="read_committed",  # what a shop's transaction took back never happened
    )
    consumer.assign(partitions_of(topic))
    try:
        await consumer.start()
    except KafkaConnectionError as error:
        await stop_consumer(consumer)
        raise await unreachable(access) from error
    try:
        yield consumer
    finally:
        await stop_consumer(consumer)


def partitions_of(topic: TopicSpec) -> list[TopicPartition]:
    """All partitions, as aiokafka names them."""
    return [TopicPartition(topic.name, partition) for partition in range(topic.partitions)]
