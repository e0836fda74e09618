"""Reads a few changelog records beside the consumer group: what stands in a hole."""

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition

from app.kafka.access import KafkaAccess
from app.kafka.stopping import stop_consumer
from stream_agents.batch_path.changelog import ForeignRow, Hole


class ChangelogReader:
    """Opens a consumer of its own for each read; holes are rare, an open connection would not be."""

    def __init__(self, access: KafkaAccess, timeout_s: float) -> None:
        self._access = access
        self._timeout_s = timeout_s

    async def read(self, topic: str, partition: int, hole: Hole) -> list[ForeignRow]:
        """The records in the hole that are still there, in log order.

        Raises:
            TimeoutError: they could not be read in time.
            aiokafka.errors.KafkaError: or not at all.
        """
        where = TopicPartition(topic, partition)
        consumer = AIOKafkaConsumer(
            **self._access.arguments(), group_id=None, enable_auto_commit=False,
            auto_offset_reset="earliest", fetch_max_wait_ms=50,
            request_timeout_ms=int(1_000 * self._timeout_s / 3),  # a host that hangs leaves time for others
        )  # fmt: skip
        async with asyncio.timeout(self._timeout_s):
            await consumer.start()
            try:
                consumer.assign([where])
                consumer.seek(where, hole.start)
                rows: list[ForeignRow] = []
                while await consumer.position(where) < hole.stop:
                    fetched = await consumer.getmany(timeout_ms=200)
                    rows.extend(
                        ForeignRow(record.key, record.value)
                        for record in fetched.get(where, [])
                        if record.offset < hole.stop and record.key is not None
                    )
                return rows
            finally:
                await stop_consumer(consumer)
