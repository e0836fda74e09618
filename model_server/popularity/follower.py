"""Follows the events topic for popularity. A statistic: when far behind, it skips ahead."""

import asyncio
import logging
from typing import Final

from aiokafka import AIOKafkaConsumer

from app.data.popularity import MS_PER_DAY
from app.observability import Metrics
from model_server import metrics as table
from model_server.popularity.live import LivePopularity

_POLL_MS: Final = 250
_MAX_RECORDS: Final = 500
_PAUSE_S: Final = 0.02  # at most 25,000 events/s, so that lists have the event loop's time
_MOST_BEHIND: Final = 200_000  # events of one partition
_HALF_LIVES: Final = 4  # older than that a count is worth less than a sixteenth

logger = logging.getLogger(__name__)


async def follow_events(
    consumer: AIOKafkaConsumer, popularity: LivePopularity, half_life_days: float, now_ms: int, metrics: Metrics
) -> None:
    """Count events, for ever: first those of the last few half-lives in the log, then whatever comes."""
    await _start(consumer, now_ms - int(_HALF_LIVES * half_life_days * MS_PER_DAY))
    while True:
        polled = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_MAX_RECORDS)
        for partition, records in polled.items():
            metrics.counter(table.POPULARITY_EVENTS).inc(popularity.take_in(records))
            end = consumer.highwater(partition) or 0
            behind = end - records[-1].offset
            if behind > _MOST_BEHIND:
                consumer.seek(partition, end - _MOST_BEHIND // 2)
                metrics.counter(table.POPULARITY_SKIPPED).inc(behind - _MOST_BEHIND // 2)
        popularity.refresh()
        await asyncio.sleep(_PAUSE_S)


async def _start(consumer: AIOKafkaConsumer, since_ms: int) -> None:
    partitions = consumer.assignment()
    ends = await consumer.end_offsets(partitions)
    since = await consumer.offsets_for_times(dict.fromkeys(partitions, max(0, since_ms)))
    for partition, end in ends.items():
        found = since.get(partition)
        offset = end if found is None else found.offset
        consumer.seek(partition, max(offset, end - _MOST_BEHIND))
