"""Topics written and read in bulk by measurements, from outside of whatever is measured."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    CoordinatorLoadInProgressError,
    GroupCoordinatorNotAvailableError,
    NotCoordinatorError,
)

from app.bench.traffic import KeyValue
from app.kafka.access import KafkaAccess

_BATCH_BYTES: Final = 512 * 1024
_IN_FLIGHT: Final = 4
_READ_BYTES: Final = 4 * 1024 * 1024
_POLL_MS: Final = 500

SeeRecords = Callable[[int, Sequence[Any]], None]
"""Shown a partition's number and its next records."""


async def append(access: KafkaAccess, topic: str, logs: Sequence[Iterable[KeyValue]]) -> None:
    """Append each list to the partition of its number; returns when all of it is acknowledged."""
    async with AIOKafkaProducer(
        **access.arguments(), acks="all", max_batch_size=_BATCH_BYTES, max_request_size=4 * _BATCH_BYTES
    ) as producer:
        await asyncio.gather(
            *(_append_partition(producer, TopicPartition(topic, number), log) for number, log in enumerate(logs))
        )


async def _append_partition(producer: Any, place: TopicPartition, log: Iterable[KeyValue]) -> None:
    pending: list[Awaitable[Any]] = []
    batch = producer.create_batch()

    async def send() -> None:
        pending.append(await producer.send_batch(batch, place.topic, partition=place.partition))
        if len(pending) >= _IN_FLIGHT:
            await pending.pop(0)

    for key, value in log:
        if batch.append(timestamp=None, key=key, value=value) is None:
            await send()
            batch = producer.create_batch()
            batch.append(timestamp=None, key=key, value=value)
    if batch.record_count():
        await send()
    await asyncio.gather(*pending)


async def scan(access: KafkaAccess, topic: str, partitions: int, see: SeeRecords) -> None:
    """Show every record that the topic holds now, each partition in order."""
    places = [TopicPartition(topic, number) for number in range(partitions)]
    async with _reader(access) as consumer:
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        await consumer.seek_to_beginning(*places)
        waiting = {place for place in places if ends[place]}
        while waiting:
            polled = await consumer.getmany(*waiting, timeout_ms=_POLL_MS)
            for place, records in polled.items():
                see(place.partition, [record for record in records if record.offset < ends[place]])
            for place in list(waiting):
                if await consumer.position(place) >= ends[place]:
                    waiting.discard(place)


async def length(access: KafkaAccess, topic: str, partitions: int) -> int:
    """How many records were ever appended to the topic."""
    places = [TopicPartition(topic, number) for number in range(partitions)]
    async with _reader(access) as consumer:
        return sum((await consumer.end_offsets(places)).values())


async def committed(access: KafkaAccess, group: str, topic: str) -> int:
    """How many records of the topic the group has committed, over all partitions; 0 while there is no such group."""
    async with _admin(access) as admin:
        try:
            offsets = await admin.list_consumer_group_offsets(group)
        except (GroupCoordinatorNotAvailableError, CoordinatorLoadInProgressError, NotCoordinatorError):
            return 0  # nobody has joined a group on a fresh broker yet
    return sum(max(0, each.offset) for place, each in offsets.items() if place.topic == topic)


async def commit(access: KafkaAccess, group: str, topic: str, offsets: Sequence[int]) -> None:
    """Set the offsets of a group that nobody is in."""
    async with AIOKafkaConsumer(**access.arguments(), group_id=group, enable_auto_commit=False) as consumer:
        places = {TopicPartition(topic, number): offset for number, offset in enumerate(offsets)}
        consumer.assign(list(places))
        await consumer.commit(places)


def _reader(access: KafkaAccess) -> Any:
    return AIOKafkaConsumer(
        **access.arguments(),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=_READ_BYTES,
        fetch_max_bytes=4 * _READ_BYTES,
        fetch_max_wait_ms=50,
    )


@asynccontextmanager
async def _admin(access: KafkaAccess) -> AsyncIterator[Any]:
    admin = AIOKafkaAdminClient(**access.arguments())
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()
