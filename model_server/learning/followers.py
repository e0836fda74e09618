"""Follows `events` from the offsets that lie beside the rows, and `catalog` from its beginning."""

import asyncio
import logging
from typing import Final

from aiokafka import AIOKafkaConsumer

from app.observability import Metrics
from model_server.learning import metrics as table
from model_server.learning.catalog import KeptCatalog
from model_server.learning.health import Health
from model_server.learning.keeper import Keeper
from model_server.learning.manifest import Manifest

_POLL_MS: Final = 500
_MAX_RECORDS: Final = 2_000
_PUBLISH_ROWS: Final = 20_000
_PUBLISH_MS: Final = 5_000

logger = logging.getLogger(__name__)


async def follow_events(
    consumer: AIOKafkaConsumer, stored: Manifest, keeper: Keeper, health: Health, metrics: Metrics
) -> None:
    """Keep events, for ever: first those since the store was published, then whatever comes."""
    await go_on(consumer, stored)
    while True:
        polled = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_MAX_RECORDS)
        for partition, records in polled.items():
            await keeper.take(partition.partition, records)
        await keeper.publish_if_due(_PUBLISH_ROWS, _PUBLISH_MS)
        metrics.gauge(table.LAG).set(await _behind(consumer))
        health.beat()


async def follow_catalog(consumer: AIOKafkaConsumer, catalog: KeptCatalog, health: Health) -> None:
    """Keep items, for ever; what there was at the start is read when `health.catalog_read` is set."""
    goal = await consumer.end_offsets(consumer.assignment())
    while True:
        polled = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_MAX_RECORDS)
        for records in polled.values():
            catalog.take(records)
        if not health.catalog_read.is_set():
            ends = [await consumer.position(partition) >= end for partition, end in goal.items()]
            if all(ends):
                health.catalog_read.set()
        await asyncio.sleep(0)


async def go_on(consumer: AIOKafkaConsumer, stored: Manifest) -> None:
    """From the stored offsets; in a partition that ends before them from what is later than everything stored.

    Such a partition was made anew, or its broker lost its end in a power cut. Then offsets say nothing; times still do.
    """
    ends = await consumer.end_offsets(consumer.assignment())
    for partition, end in ends.items():
        offset = stored.offsets.get(partition.partition, 0)
        if offset > end:
            later = (await consumer.offsets_for_times({partition: stored.newest_ts_ms + 1}))[partition]
            known, offset = offset, end if later is None else later.offset
            logger.warning(
                "%s ends at %d, before %d, where it was read to: it was made anew or lost its end. On from %d.",
                partition, end, known, offset,
            )  # fmt: skip
        consumer.seek(partition, offset)  # where that is deleted already, aiokafka goes to the oldest there is


async def _behind(consumer: AIOKafkaConsumer) -> int:
    behind = 0
    for partition in consumer.assignment():
        end = consumer.highwater(partition)
        if end is not None:
            behind += max(0, end - await consumer.position(partition))
    return behind
