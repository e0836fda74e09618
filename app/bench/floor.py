"""The floor under freshness: the same traffic over as many topics, with nothing but bare relays between them."""

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from app.contracts.events import Event, InvalidEvent, decode_event
from app.kafka.access import KafkaAccess
from app.kafka.topic_admin import apply_topics, delete_topics
from app.kafka.topics import Topics
from app.processes.guarded import GuardedProcess
from app.processes.python import module
from app.replay import publish_events, replay_producer

_SETTLE_TIMEOUT_S: Final = 60.0
_POLL_MS: Final = 100


class EchoFloor:
    """The relays of app.bench.echo and a client before and behind them; use as an asynchronous context manager."""

    def __init__(self, access: KafkaAccess, topics: Topics) -> None:
        self._access = access
        self._topics = topics.with_prefix(f"echo-{time.time_ns():x}-")
        self._producer = replay_producer(access)
        self._consumer = AIOKafkaConsumer(**access.arguments(), enable_auto_commit=False, fetch_max_wait_ms=50)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "EchoFloor":
        hops = [self._topics.events, self._topics.score_requests, self._topics.recommendations]
        arguments = [*(hop.name for hop in hops), str(self._topics.events.partitions)]
        async with AsyncExitStack() as stack:
            await asyncio.to_thread(apply_topics, self._access, self._topics)
            stack.push_async_callback(asyncio.to_thread, delete_topics, self._access, self._topics)
            environment = {**os.environ, **self._access.environment()}
            folder = Path(tempfile.mkdtemp(prefix="riverrun-echo-"))
            relays = GuardedProcess(module("app.bench.echo", *arguments), folder, environment=environment)
            stack.enter_context(relays).start()
            await stack.enter_async_context(self._consumer)
            await stack.enter_async_context(self._producer)
            self._consumer.assign([TopicPartition(hops[2].name, number) for number in range(hops[2].partitions)])
            await self._consumer.seek_to_beginning()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def echoed_s(self, traffic: AsyncIterator[Event]) -> list[float]:
        """Send these events; seconds from sending each to holding it again.

        Raises:
            TimeoutError: not all came back.
        """
        sent_s: dict[str, float] = {}
        arrived_s: dict[str, float] = {}
        all_sent = asyncio.Event()

        async def collect() -> None:
            while not (all_sent.is_set() and len(arrived_s) >= len(sent_s)):
                polled = await self._consumer.getmany(timeout_ms=_POLL_MS)
                now_s = time.perf_counter()
                for record in chain.from_iterable(polled.values()):
                    event = decode_event(record.value)
                    if not isinstance(event, InvalidEvent):
                        arrived_s[event.event_id] = now_s

        def stored(event: Event, _offset: int, at_s: float) -> None:
            sent_s[event.event_id] = at_s

        async with asyncio.timeout(None) as limit, asyncio.TaskGroup() as tasks:
            tasks.create_task(collect())
            await publish_events(self._producer, self._topics.events.name, traffic, lambda _event: None, stored)
            all_sent.set()
            limit.reschedule(asyncio.get_running_loop().time() + _SETTLE_TIMEOUT_S)
        return [arrived_s[event_id] - at_s for event_id, at_s in sent_s.items()]
