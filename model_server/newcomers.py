"""Lists for visitors of whom nothing is known yet: asked for as anybody's are, by a score request, with an empty state.

So there is one way to a list. Every model server asks; the requests collapse, and whoever owns the partition answers.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from aiokafka.errors import KafkaError

from app.contracts.recommendations import NEWCOMER_ID
from app.interests.state import StateCause, UserState, encode_state
from app.kafka.errors import may_pass
from app.kafka.outgoing import Outgoing
from app.kafka.partitions import partition_of
from app.kafka.publisher import Publisher
from app.kafka.topics import TopicSpec

_CAUSE: Final = "newcomer"

logger = logging.getLogger(__name__)


def newcomer_request(topic: TopicSpec, now_ms: int) -> Outgoing:
    """The score request of a newcomer; the time is its state version, so that the newest wins."""
    key = NEWCOMER_ID.encode()
    state = UserState.of(now_ms, StateCause("", _CAUSE, now_ms, now_ms))
    return Outgoing(topic.name, partition_of(key, topic.partitions), key, encode_state(state))


async def ask_for_newcomers(
    publisher: Publisher, score_requests: TopicSpec, every_s: float, clock_ms: Callable[[], int]
) -> None:
    """Ask now, and then every so often: what is popular changes, and so do the items. 0: never ask."""
    while every_s:
        try:
            await publisher.publish([newcomer_request(score_requests, clock_ms())])
        except KafkaError as error:
            if not may_pass(error):
                raise
            logger.warning("Newcomers keep their lists, Kafka does not take the request: %r", error)
        await asyncio.sleep(every_s)
    await asyncio.Event().wait()
