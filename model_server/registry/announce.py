"""Tells Kafka that the champion changed, so that model servers look at once; they look now and then anyway."""

import asyncio

from aiokafka.errors import KafkaError

from app.contracts.model_updates import KEY, ModelUpdate, encode_model_update
from app.errors import KafkaUnreachable
from app.kafka.access import KafkaAccess
from app.kafka.outgoing import Outgoing
from app.kafka.publisher import Publisher, connected_producer
from model_server.registry.champion import Reign

_CLIENT = "riverrun-models"
_TIMEOUT_MS = 5_000
_PATIENCE_S = 10.0


def update_message(topic: str, champion: Reign) -> Outgoing:
    """What goes to Kafka."""
    update = ModelUpdate(
        version=champion.version, since_ms=champion.since_ms, reason=champion.reason, restored=champion.restored
    )
    return Outgoing(topic, 0, KEY, encode_model_update(update))


def announce(access: KafkaAccess, topic: str, champion: Reign) -> str:
    """Send it from a program that ends after it. Returns why it could not be sent; empty where it was."""
    try:
        asyncio.run(asyncio.wait_for(_send(access, update_message(topic, champion)), _PATIENCE_S))
    except KafkaUnreachable as error:
        return error.what
    except (KafkaError, TimeoutError) as error:
        return f"Kafka at {access.bootstrap_servers} did not take it: {error!r}."
    return ""


async def _send(access: KafkaAccess, message: Outgoing) -> None:
    publisher = Publisher(await connected_producer(access, _CLIENT, _TIMEOUT_MS))
    try:
        await publisher.publish([message])
    finally:
        await publisher.stop()
