"""Kafka's own ids of topics, by which a re-created topic is recognised."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from app.errors import KafkaUnreachable, TopicMismatch
from app.kafka.probe import probe

TIMEOUT_S: Final = 5.0


def topic_ids(bootstrap_servers: str, topics: Sequence[str]) -> dict[str, str]:
    """Topic name -> id.

    Raises:
        KafkaUnreachable: no broker tells.
        TopicMismatch: a topic does not exist.
    """
    from kafka.admin import KafkaAdminClient  # noqa: PLC0415 - slow to import, not for --help
    from kafka.errors import KafkaError  # noqa: PLC0415 - as above

    # The client keeps a thread for ever if its first connection fails, so that is tried before.
    answer = probe(bootstrap_servers, TIMEOUT_S)
    if not answer.ok:
        raise KafkaUnreachable(f"No broker answers at {bootstrap_servers}: {answer.why}.")
    timeout_ms = int(1000 * TIMEOUT_S)
    try:
        admin = KafkaAdminClient(
            bootstrap_servers=bootstrap_servers.split(","),
            request_timeout_ms=timeout_ms, bootstrap_timeout_ms=timeout_ms,
        )  # fmt: skip
        try:
            described = admin.describe_topics(list(topics))
        finally:
            admin.close()
    except KafkaError as error:
        raise KafkaUnreachable(f"No broker at {bootstrap_servers} describes topics: {error}.") from error
    found = {topic["name"]: str(topic["topic_id"]) for topic in described if not topic["error_code"]}
    missing = [topic for topic in topics if topic not in found]
    if missing:
        raise TopicMismatch(f"Kafka has no topic {', '.join(missing)}.", hint="Run `riverrun topics apply`.")
    return found


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
