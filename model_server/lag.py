"""Asks the broker how far the worker is behind: the lag metric, and whether the broker answers at all."""

import asyncio
import logging
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import IllegalStateError, KafkaError

from app.observability import Metrics
from model_server import metrics as table
from model_server.health import Health

_EVERY_S: Final = 2.0
_TIMEOUT_S: Final = 4.0
_BEAT_S: Final = 0.5

logger = logging.getLogger(__name__)


async def measure_lag(consumer: AIOKafkaConsumer, health: Health, metrics: Metrics) -> None:
    """Measure, for ever."""
    while True:
        try:
            await asyncio.wait_for(_measure(consumer, health, metrics), _TIMEOUT_S)
            health.broker_away = False
        except IllegalStateError:
            pass  # a rebalance took the partitions meanwhile
        except (KafkaError, TimeoutError) as error:
            if not health.broker_away:
                logger.warning("The Kafka broker does not answer: %r", error)
            health.broker_away = True
        await asyncio.sleep(_EVERY_S)


async def beat(health: Health, metrics: Metrics) -> None:
    """Show that the event loop runs and whether the server is ready, for ever."""
    while True:
        health.beat()
        metrics.gauge(table.READY).set(1 if health.ready().ok else 0)
        await asyncio.sleep(_BEAT_S)


async def _measure(consumer: AIOKafkaConsumer, health: Health, metrics: Metrics) -> None:
    partitions = consumer.assignment()
    if not partitions:
        health.saw_lag(0, -1)  # what waits is another server's to read
        return
    ends = await consumer.end_offsets(partitions)
    positions = {partition: await consumer.position(partition) for partition in partitions}
    for partition, end in ends.items():
        metrics.gauge(table.LAG, str(partition.partition)).set(max(0, end - positions[partition]))
    total = sum(max(0, end - positions[partition]) for partition, end in ends.items())
    health.saw_lag(total, sum(positions.values()))
