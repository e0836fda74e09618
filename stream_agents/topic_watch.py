"""Looks now and then whether the topics are still the ones that the state was made from."""

import asyncio
from collections.abc import Callable

from app.errors import KafkaUnreachable
from app.kafka.topic_ids import TIMEOUT_S


class TopicWatch:
    """Looks now and then whether the topics are still the ones that the state was made from.

    With a deleted topic Kafka forgets the group's offsets. The worker would begin at 0 in the new one, where its
    states have long been: every event would look as if it had been applied, and nothing would fail.

    Args:
        look: blocks, and raises when a topic is another one; `KafkaUnreachable` means not now.
        now_s: a monotonic clock.
    """

    def __init__(self, look: Callable[[], None], now_s: Callable[[], float]) -> None:
        self._look = look
        self._now_s = now_s
        self._looked_s: float | None = None
        self._looking = asyncio.Lock()

    async def check(self, max_age_s: float) -> None:
        """Look, unless that was done in the last `max_age_s` seconds.

        Raises:
            StateError: a topic was deleted and made again.
            TopicMismatch: a topic is gone.
            TimeoutError: Kafka did not tell.
        """
        async with self._looking:
            if self._looked_s is not None and self._now_s() - self._looked_s < max_age_s:
                return
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    await asyncio.to_thread(self._look)
            except KafkaUnreachable as error:
                raise TimeoutError(str(error)) from error
            self._looked_s = self._now_s()
