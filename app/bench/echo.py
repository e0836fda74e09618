"""The floor under freshness: a process that does nothing but pass records on, over as many topics as riverrun does.

    python -m app.bench.echo SOURCE MIDDLE SINK PARTITIONS

Bare aiokafka clients, every record acked by all replicas before the next poll, no work in between. What was polled
together is sent together: record by record, the echo would reach its own limit before riverrun does.
"""

import asyncio
import sys
from collections.abc import Awaitable, Sequence
from itertools import chain
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from app.kafka.access import KafkaAccess, access_of
from app.settings import load_settings

_POLL_MS = 100


async def relay(access: KafkaAccess, source: str, sink: str, partitions: int) -> None:
    """Pass every new record of `source` on to `sink`, for ever."""
    consumer = AIOKafkaConsumer(**access.arguments(), enable_auto_commit=False, fetch_max_wait_ms=_POLL_MS)
    async with consumer, AIOKafkaProducer(**access.arguments(), acks="all") as producer:
        consumer.assign([TopicPartition(source, number) for number in range(partitions)])
        await consumer.seek_to_beginning()
        while True:
            polled = await consumer.getmany(timeout_ms=_POLL_MS)
            sent = [await _send(producer, sink, place.partition, records) for place, records in polled.items()]
            await asyncio.gather(*chain.from_iterable(sent))


async def _send(producer: Any, sink: str, partition: int, records: Sequence[Any]) -> list[Awaitable[Any]]:
    """Send records in as few batches as hold them; their acknowledgements."""
    sent: list[Awaitable[Any]] = []
    batch = producer.create_batch()
    for record in records:
        if batch.append(timestamp=None, key=record.key, value=record.value) is None:
            sent.append(await producer.send_batch(batch, sink, partition=partition))
            batch = producer.create_batch()
            batch.append(timestamp=None, key=record.key, value=record.value)
    sent.append(await producer.send_batch(batch, sink, partition=partition))
    return sent


async def _main(access: KafkaAccess, source: str, middle: str, sink: str, partitions: str) -> None:
    await asyncio.gather(
        relay(access, source, middle, int(partitions)),
        relay(access, middle, sink, int(partitions)),
    )


if __name__ == "__main__":
    asyncio.run(_main(access_of(load_settings().kafka), *sys.argv[1:]))
