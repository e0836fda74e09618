"""Follows one topic: first all that is in it, then whatever comes. A topic made anew is read from its beginning.

The keeper says where to go on. Where the log no longer has that place (the topic was made anew, or its beginning was
cut off behind it), or was not read for half a day, the keeper starts over: what the topic holds is the truth.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from app.errors import KafkaForbidden, KafkaUnreachable, TopicMismatch
from app.gateway.replica import TopicRecord
from app.kafka.access import KafkaAccess
from app.kafka.fetch_wait import FetchWait
from app.kafka.tail import open_tail
from app.kafka.topics import TopicSpec
from app.state_folder import MAX_UNREAD_MS

CLIENT_ID: Final = "riverrun-gateway"
FETCH_WAIT_MS: Final = 5
_POLL_MS: Final = 200
_GATHERED_BYTES: Final = 65_536
_MAX_RECORDS: Final = 500  # about 5 ms of work: nobody's request waits longer than that
_LOOK_EVERY_S: Final = 2.0
_IDENTITY_EVERY_S: Final = 60.0
_ANSWER_S: Final = 4.0
_RETRY_S: Final = 1.0


logger = logging.getLogger(__name__)


class Keeper(Protocol):
    """Who takes the records in."""

    def offsets(self) -> Mapping[int, int]:
        """Where to go on, by partition; missing: at the beginning."""

    def take(self, polled: Mapping[int, Sequence[TopicRecord]]) -> None:
        """Records of all partitions, in log order."""

    def start_over(self, topic_id: str) -> None:
        """Forget everything; the topic now has this id."""


@dataclass(slots=True)
class FollowState:
    """How it goes. Written by the event loop, read from other threads.

    Attributes:
        caught_up: all was read that was there at the start.
        away: what Kafka does not do; empty: nothing.
        behind: records not read yet.
    """

    caught_up: bool = False
    away: str = ""
    behind: int = 0


@dataclass(frozen=True, slots=True)
class Source:
    """What is followed.

    Attributes:
        access: to Kafka.
        topic: what.
        request_timeout_ms: of a request.
        topic_id: asks Kafka for the topic's id; blocks; raises `KafkaUnreachable`,
            `KafkaForbidden` or `TopicMismatch`.
        at_once: whether each record is fetched as soon as it is there; otherwise they gather at the broker, a quarter
            of a second at most.
    """

    access: KafkaAccess
    topic: TopicSpec
    request_timeout_ms: int
    topic_id: Callable[[], str]
    at_once: bool


class _LogChanged(Exception):
    """The log is another one than the keeper has read."""


class Follower:
    """See the module.

    Args:
        source: what is followed.
        keeper: who takes it in.
        known_id: the topic id that the keeper's records are of.
        state: told how it goes.
    """

    def __init__(self, source: Source, keeper: Keeper, known_id: str, state: FollowState) -> None:
        self._source = source
        self._keeper = keeper
        self._known_id = known_id
        self._state = state
        self._next: dict[TopicPartition, int] = {}

    async def run(self) -> None:
        """Follow, for ever."""
        while True:
            try:
                async with open_tail(
                    self._source.access,
                    self._source.topic,
                    self._source.request_timeout_ms,
                    client_id=CLIENT_ID,
                    gather_bytes=1 if self._source.at_once else _GATHERED_BYTES,
                ) as consumer:
                    await self._follow(consumer)
            except _LogChanged:
                await self._start_over()
            except (KafkaUnreachable, KafkaError, TimeoutError) as error:
                self._trouble(str(error) or type(error).__name__)
                await asyncio.sleep(_RETRY_S)

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        goal = await self._seek(consumer)
        wait = FetchWait(consumer, FETCH_WAIT_MS, time.monotonic) if self._source.at_once else None
        looking = asyncio.create_task(self._look(consumer))
        try:
            while not looking.done():
                polled = await self._poll(consumer)
                if wait is not None:
                    wait.polled(sum(map(len, polled.values())))
                if polled:
                    self._keeper.take(polled)
                if not self._state.caught_up:
                    self._state.caught_up = await _has_reached(consumer, goal)
                await asyncio.sleep(0)  # who waits for an answer comes in between
            looking.result()
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    async def _poll(self, consumer: AIOKafkaConsumer) -> dict[int, Sequence[Any]]:
        polled = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_MAX_RECORDS)
        for partition, records in polled.items():
            # aiokafka goes on at the beginning when the log no longer has the place that was asked for.
            if records[0].offset < self._next[partition]:
                raise _LogChanged
            self._next[partition] = records[-1].offset + 1
        return {partition.partition: records for partition, records in polled.items()}

    async def _seek(self, consumer: AIOKafkaConsumer) -> Mapping[TopicPartition, int]:
        """Go to where the keeper stands; gives the ends of the log.

        Raises:
            _LogChanged: the log has no such place.
        """
        partitions = consumer.assignment()
        begins = await asyncio.wait_for(consumer.beginning_offsets(partitions), _ANSWER_S)
        ends: Mapping[TopicPartition, int] = await asyncio.wait_for(consumer.end_offsets(partitions), _ANSWER_S)
        kept = self._keeper.offsets()
        for partition in partitions:
            at = kept.get(partition.partition)
            if at is not None and not begins[partition] <= at <= ends[partition]:
                raise _LogChanged
            self._next[partition] = begins[partition] if at is None else at
            consumer.seek(partition, self._next[partition])
        self._state.away = ""
        return ends

    async def _look(self, consumer: AIOKafkaConsumer) -> None:
        """Ask now and then whether Kafka answers, how far behind this is, and whether the topic is still the same."""
        well_s, identity_at_s = time.monotonic(), 0.0
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            try:
                ends = await asyncio.wait_for(consumer.end_offsets(consumer.assignment()), _ANSWER_S)
                positions = {partition: await consumer.position(partition) for partition in ends}
                self._state.behind = sum(max(0, end - positions[partition]) for partition, end in ends.items())
                if any(end < self._next[partition] for partition, end in ends.items()):
                    raise _LogChanged
                if time.monotonic() >= identity_at_s:
                    await self._identify()
                    identity_at_s = time.monotonic() + _IDENTITY_EVERY_S
            except (KafkaError, KafkaUnreachable, KafkaForbidden, TopicMismatch, TimeoutError) as error:
                self._trouble(str(error) or type(error).__name__)
                identity_at_s = 0.0  # who knows what it is when it comes back
            else:
                if (time.monotonic() - well_s) * 1_000 > MAX_UNREAD_MS:
                    raise _LogChanged
                well_s = time.monotonic()
                self._state.away = ""

    async def _identify(self) -> None:
        if await asyncio.to_thread(self._source.topic_id) != self._known_id:
            raise _LogChanged

    async def _start_over(self) -> None:
        self._state.caught_up = False
        while True:
            try:
                self._known_id = await asyncio.to_thread(self._source.topic_id)
            except (KafkaUnreachable, KafkaForbidden, TopicMismatch) as error:
                self._trouble(str(error))
                await asyncio.sleep(_RETRY_S)
            else:
                logger.warning("The topic %s is another one: it is read from its beginning.", self._source.topic.name)
                self._keeper.start_over(self._known_id)
                return

    def _trouble(self, why: str) -> None:
        if not self._state.away:
            logger.warning("Kafka does not answer for %s: %s", self._source.topic.name, why)
        self._state.away = why


async def _has_reached(consumer: AIOKafkaConsumer, goal: Mapping[TopicPartition, int]) -> bool:
    return all([await consumer.position(partition) >= end for partition, end in goal.items()])
