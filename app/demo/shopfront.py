"""The shop's side of riverrun: sends what visitors do, subscribes to their lists, keeps account of both."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from types import TracebackType

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from app.contracts.events import Event
from app.contracts.recommendations import NEWCOMER_ID, decode_recommendations
from app.demo.scorecard import Arrival, Ledger
from app.kafka.access import KafkaAccess
from app.kafka.topics import TopicSpec
from app.replay import publish_events, replay_producer

_POLL_MS = 100
_NEWCOMER = NEWCOMER_ID.encode()


class Shopfront:
    """A producer of events and a subscriber of lists with one ledger; use as an asynchronous context manager."""

    def __init__(self, access: KafkaAccess, recommendations: TopicSpec) -> None:
        self.ledger = Ledger()
        self.on_list: Callable[[str, Arrival], None] = lambda _user, _arrival: None
        self.producer: AIOKafkaProducer = replay_producer(access)
        self._partitions = [
            TopicPartition(recommendations.name, number) for number in range(recommendations.partitions)
        ]
        self._consumer = AIOKafkaConsumer(**access.arguments(), enable_auto_commit=False, fetch_max_wait_ms=50)
        self._following: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Shopfront":
        await self.producer.start()
        await self._consumer.start()
        self._consumer.assign(self._partitions)
        await self._consumer.seek_to_beginning()
        self._following = asyncio.create_task(self._follow())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        await self._consumer.stop()
        await self.producer.stop()

    async def visit(self, topic: str, events: AsyncIterator[Event], on_event: Callable[[Event], bool | None]) -> None:
        """Send events as they come.

        Args:
            topic: of the events.
            events: at their pace.
            on_event: called just before each is sent, to look at what is on show; True: it sent the event another way.
        """
        ledger = self.ledger

        async def noted() -> AsyncIterator[Event]:
            async for event in events:
                if on_event(event):
                    ledger.sent(event)
                else:
                    yield event

        await publish_events(self.producer, topic, noted(), ledger.sent, ledger.stored)

    async def settled(self, timeout_s: float) -> bool:
        """Wait until every user's newest list was caused by the user's newest event; False: it never came.

        Raises:
            Exception: what ended the subscription.
        """
        deadline = time.monotonic() + timeout_s
        while self.ledger.owed():
            if self._following is not None and self._following.done():
                self._following.result()
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.05)
        return True

    async def _follow(self) -> None:
        while True:
            polled = await self._consumer.getmany(timeout_ms=_POLL_MS)
            arrived_s = time.perf_counter()
            for records in polled.values():
                for record in records:
                    if record.value is None or record.key == _NEWCOMER:
                        continue
                    user_id = record.key.decode()
                    arrival = Arrival(decode_recommendations(record.value), arrived_s)
                    if self.ledger.arrived(user_id, arrival):
                        self.on_list(user_id, arrival)
