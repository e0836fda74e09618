"""Follows the events topic for what is counted live. Statistics: when far behind, they skip ahead."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from app.data.popularity import MS_PER_DAY
from app.interests.intake import IntakeLimits
from app.observability import Metrics
from model_server import metrics as table
from model_server.popularity.replays import Replays
from model_server.popularity.told import Counter, told_by

_POLL_MS: Final = 250
_FIRST_POLL_MS: Final = 20  # until all is counted: a version may wait for it
_MAX_RECORDS: Final = 100  # two or three milliseconds, for which a list may have to wait
_PAUSE_S: Final = 0.02  # so that a trickle gathers
_PAUSE_PER_WORK: Final = 1.5  # in a flood lists have the larger part of the event loop's time
_MOST_BEHIND: Final = 200_000  # events of one partition
_HALF_LIVES: Final = 4  # older than that a count is worth less than a sixteenth

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Counting:
    """What is counted.

    Args:
        counters: by whom.
        limits: what a valid event is; one that pretends to come from the future would outweigh all others.
        half_life_days: four of these ago an event may lie and still matter.
    """

    counters: Sequence[Counter]
    limits: IntakeLimits
    half_life_days: float


async def follow_events(
    consumer: AIOKafkaConsumer,
    counting: Counting,
    clock_ms: Callable[[], int],
    metrics: Metrics,
    caught_up: asyncio.Event,
) -> None:
    """Count events, for ever: first those of the last few half-lives in the log, then whatever comes.

    `caught_up` is set once all that there was at the start is counted.
    """
    loop = asyncio.get_running_loop()
    goal = await _start(consumer, clock_ms() - int(_HALF_LIVES * counting.half_life_days * MS_PER_DAY))
    replays, at = Replays(), dict.fromkeys(goal, 0)
    while True:
        poll_ms = _POLL_MS if caught_up.is_set() else _FIRST_POLL_MS
        polled = await consumer.getmany(timeout_ms=poll_ms, max_records=_MAX_RECORDS)
        began_s = loop.time()
        for partition, records in polled.items():
            told = replays.without(partition.partition, records, told_by(records, counting.limits), clock_ms())
            metrics.counter(table.COUNTED_EVENTS).inc(max(counter.count(told) for counter in counting.counters))
            end = consumer.highwater(partition) or 0
            behind = end - records[-1].offset
            if behind > _MOST_BEHIND:
                consumer.seek(partition, end - _MOST_BEHIND // 2)
                metrics.counter(table.COUNTED_SKIPPED).inc(behind - _MOST_BEHIND // 2)
        for counter in counting.counters:
            counter.refresh()
        if not caught_up.is_set():
            before, at = at, {partition: await consumer.position(partition) for partition in goal}
            if any(at[partition] < before[partition] for partition in goal):  # made anew: it ends elsewhere now
                goal = dict(await consumer.end_offsets(goal))
            if all(at[partition] >= end for partition, end in goal.items()):
                caught_up.set()
        flood = sum(map(len, polled.values())) == _MAX_RECORDS
        await asyncio.sleep(_PAUSE_PER_WORK * (loop.time() - began_s) if flood else _PAUSE_S)


async def _start(consumer: AIOKafkaConsumer, since_ms: int) -> dict[TopicPartition, int]:
    """Go to where counting begins; returns where the log ends."""
    partitions = consumer.assignment()
    ends = await consumer.end_offsets(partitions)
    since = await consumer.offsets_for_times(dict.fromkeys(partitions, max(0, since_ms)))
    for partition, end in ends.items():
        found = since.get(partition)
        offset = end if found is None else found.offset
        consumer.seek(partition, max(offset, end - _MOST_BEHIND))
    return dict(ends)
