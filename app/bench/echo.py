"""The floor under freshness: a process that does nothing but pass records on, over as many topics as riverrun does.

    python -m app.bench.echo BOOTSTRAP_SERVERS SOURCE MIDDLE SINK PARTITIONS

Bare aiokafka clients, every record acked by all replicas before the next poll, no work in between.
"""

import asyncio
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

_POLL_MS = 100


async def relay(bootstrap_servers: str, source: str, sink: str, partitions: int) -> None:
    """Pass every new record of `source` on to `sink`, for ever."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers, enable_auto_commit=False, fetch_max_wait_ms=_POLL_MS
    )
    async with consumer, AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all") as producer:
        consumer.assign([TopicPartition(source, number) for number in range(partitions)])
        await consumer.seek_to_beginning()
        while True:
            polled = await consumer.getmany(timeout_ms=_POLL_MS)
            records = [record for batch in polled.values() for record in batch]
            await asyncio.gather(
                *[await producer.send(sink, record.value, key=record.key, headers=record.headers) for record in records]
            )


async def _main(bootstrap_servers: str, source: str, middle: str, sink: str, partitions: str) -> None:
    await asyncio.gather(
        relay(bootstrap_servers, source, middle, int(partitions)),
        relay(bootstrap_servers, middle, sink, int(partitions)),
    )


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
