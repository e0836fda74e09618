"""Records into Kafka in whole batches, acknowledged by every in-sync replica.

Several times cheaper per record than sending one by one: 3 against 12 microseconds for 600 bytes.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError

from app.errors import KafkaUnreachable, StateError
from app.kafka.access import KafkaAccess
from app.kafka.outgoing import Appended, Outgoing
from app.kafka.probe import PATIENCE_S, Answer, no_good, probe

MAX_BATCH_BYTES: Final = 768 * 1024  # under the topics' max.message.bytes of 1 MiB
MAX_KEY_BYTES: Final = 1_024  # 256 characters of up to four bytes
_OVERHEAD_BYTES: Final = 512  # batch header, record header, lengths, our own header: rounded up generously
MAX_VALUE_BYTES: Final = MAX_BATCH_BYTES - MAX_KEY_BYTES - _OVERHEAD_BYTES

RecordBatch = Any
"""aiokafka's `BatchBuilder`, which has no types."""

KeyValueHeaders = tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]


class Publisher:
    """A producer that hands over whole batches."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def publish(self, records: Iterable[Outgoing]) -> None:
        """Append records wherever they go; return once all are acknowledged.

        Raises:
            aiokafka.errors.KafkaError: not all of them could be written.
            StateError: a record is larger than a batch.
        """
        by_partition: dict[tuple[str, int], list[Outgoing]] = defaultdict(list)
        for record in records:
            by_partition[record.topic, record.partition].append(record)
        await gather_all(self.append(topic, partition, own) for (topic, partition), own in by_partition.items())

    async def append(self, topic: str, partition: int, records: Iterable[Outgoing]) -> list[Appended]:
        """Append records to one partition, in their order. Returns the batches as the broker took them.

        Raises:
            aiokafka.errors.KafkaError: they could not be written, or only a part of them.
            StateError: a record is larger than a batch.
        """
        return await self.send(
            topic, partition, self.build((each.key, each.value, [*each.headers]) for each in records)
        )

    async def send(self, topic: str, partition: int, batches: Sequence[RecordBatch]) -> list[Appended]:
        """Append batches to one partition, in their order. Returns them as the broker took them.

        Raises:
            aiokafka.errors.KafkaError: they could not be written, or only a part of them.
        """
        # A copy each: aiokafka takes what it sends for its own, and the same bytes may go to several topics.
        acknowledgements = [
            await self._producer.send_batch(copy(batch), topic, partition=partition) for batch in batches
        ]
        taken = await gather_all(acknowledgements)
        return [Appended(metadata.offset, batch.record_count()) for batch, metadata in zip(batches, taken, strict=True)]

    def build(self, records: Iterable[KeyValueHeaders]) -> list[RecordBatch]:
        """Records as the bytes that go to Kafka, whatever the topic.

        Raises:
            StateError: a record is larger than a batch.
        """
        batches = list(self._filled(records))
        for batch in batches:
            batch._build()  # noqa: SLF001  # once, not once a topic; its result is kept in the batch
        return batches

    async def stop(self) -> None:
        """Close the connections."""
        await self._producer.stop()

    def _filled(self, records: Iterable[KeyValueHeaders]) -> Iterator[RecordBatch]:
        batch = self._producer.create_batch()
        now_ms = int(time.time() * 1_000)
        for key, value, headers in records:
            if value is not None and len(value) > MAX_VALUE_BYTES:
                raise StateError(f"A record of {len(value)} bytes does not fit into a batch of {MAX_BATCH_BYTES}.")
            while batch.append(timestamp=now_ms, key=key, value=value, headers=headers) is None:
                yield batch
                batch = self._producer.create_batch()
        if batch.record_count():
            yield batch


async def gather_all(work: Iterable[Any]) -> list[Any]:
    """Wait for all of it, then raise the first error: nothing goes on unseen behind an early exception."""
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


async def connected_producer(access: KafkaAccess, client_id: str, request_timeout_ms: int) -> AIOKafkaProducer:
    """A producer for a `Publisher`, connected.

    Raises:
        KafkaUnreachable: no broker answers, or none lets us in.
    """
    producer = AIOKafkaProducer(
        **access.arguments(),
        client_id=client_id,
        acks="all",
        max_batch_size=MAX_BATCH_BYTES,
        max_request_size=4 * MAX_BATCH_BYTES,
        request_timeout_ms=request_timeout_ms,
    )
    try:
        await producer.start()
    except KafkaConnectionError as error:
        await producer.stop()
        raise await unreachable(access) from error
    return producer


async def unreachable(access: KafkaAccess) -> KafkaUnreachable:
    """The error of a start without a broker: aiokafka does not say why, a probe does."""
    answer = await asyncio.to_thread(probe, access, PATIENCE_S)
    return no_good(access, answer if not answer.ok else Answer("it did a moment ago"))
