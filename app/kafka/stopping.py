"""The end of a consumer, also where the broker is away."""

import asyncio
from typing import Final

from aiokafka import AIOKafkaConsumer

PATIENCE_S: Final = 5.0


async def stop_consumer(consumer: AIOKafkaConsumer) -> None:
    """Leave the group, so that the others take over at once, and close; not for longer than a few seconds.

    In a task of its own: aiokafka cancels its fetches, and the cancellation of one that waits for a broker that is away
    comes out of `stop` as if it were the caller's.
    """
    await asyncio.wait({asyncio.create_task(consumer.stop())}, timeout=PATIENCE_S)
