"""Messages into Kafka in whole batches, acknowledged by every in-sync replica."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError

from app.errors import KafkaUnreachable

MAX_BATCH_BYTES: Final = 786_432  # under the topics' max.message.bytes of 1 MiB


@dataclass(frozen=True, slots=True)
class Message:
    """One record to write."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None


class Publisher(Protocol):
    """Writes messages."""

    async def publish(self, messages: Sequence[Message]) -> None:
        """Return once all are acknowledged.

        Raises:
            aiokafka.errors.KafkaError: not all of them were.
        """


class KafkaPublisher:
    """A `Publisher` on an aiokafka producer, which is several times cheaper per record in whole batches."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def publish(self, messages: Sequence[Message]) -> None:
        """As `Publisher.publish`."""
        places: dict[tuple[str, int], list[Message]] = defaultdict(list)
        for message in messages:
            places[message.topic, message.partition].append(message)
        sent = []
        for (topic, partition), own in places.items():
            for batch in self._batches(own):
                sent.append(await self._producer.send_batch(batch, topic, partition=partition))
        # All of them are waited for, so that no error goes unseen behind an earlier one.
        for result in await asyncio.gather(*sent, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    def _batches(self, messages: Iterable[Message]) -> Iterator[Any]:
        batch = self._producer.create_batch()
        for message in messages:
            while batch.append(timestamp=None, key=message.key, value=message.value) is None:
                yield batch
                batch = self._producer.create_batch()
        if batch.record_count():
            yield batch


@asynccontextmanager
async def open_publisher(bootstrap_servers: str, request_timeout_ms: int) -> AsyncIterator[KafkaPublisher]:
    """Connect, and disconnect at the end.

    Raises:
        KafkaUnreachable: no broker answers.
    """
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers,
        client_id="riverrun-model-server",
        acks="all",
        max_batch_size=MAX_BATCH_BYTES,
        max_request_size=4 * MAX_BATCH_BYTES,
        request_timeout_ms=request_timeout_ms,
    )
    try:
        await producer.start()
    except KafkaConnectionError as error:
        await producer.stop()
        raise unreachable(bootstrap_servers) from error
    try:
        yield KafkaPublisher(producer)
    finally:
        await producer.stop()


def unreachable(bootstrap_servers: str) -> KafkaUnreachable:
    """The error of a start without a broker."""
    return KafkaUnreachable(
        f"No Kafka broker answers at {bootstrap_servers}.", hint="Start it, or set RIVERRUN_KAFKA__BOOTSTRAP_SERVERS."
    )
