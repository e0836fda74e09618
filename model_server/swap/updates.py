"""Kafka's `model-updates`, on both sides: heard, so that a new champion is looked at, and told of one."""

import asyncio
import logging
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from app.kafka.publisher import Publisher
from model_server.registry.announce import update_message
from model_server.registry.champion import Reign

_POLL_MS: Final = 1_000

logger = logging.getLogger(__name__)


async def hear_updates(consumer: AIOKafkaConsumer, look: asyncio.Event) -> None:
    """Set `look` whenever something has come, for ever. What it says is not read: the folder is the truth."""
    while True:
        if await consumer.getmany(timeout_ms=_POLL_MS):
            look.set()


async def tell_update(publisher: Publisher, topic: str, champion: Reign) -> None:
    """Tell the others; they look by themselves where Kafka does not take it."""
    try:
        await publisher.publish([update_message(topic, champion)])
    except KafkaError as error:
        logger.warning("Kafka was not told of the champion %s: %r", champion.version, error)
