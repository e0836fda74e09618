"""The model server's loop: score requests in, lists out.

The order in which things happen, and what a crash between any two of them leaves:

    1  poll              one poll is one batch; when behind, several polls are merged first
    2  newest per user   a request that a newer one replaces is dropped here: overload costs freshness, nothing else
    3  score             in a thread, so that heartbeats go on; a batch is of one model version
    4  produce, await    every list (and every dead letter) is acknowledged by all in-sync replicas
    5  commit            up to the oldest request that still waits; a few times a second, and before a rebalance

The steps overlap, one batch apart: while a batch is being acknowledged (4), the next one is scored (3), and while that
is scored, what has come is read (1, 2). A batch is sent when the one before it is acknowledged, so that lists leave
in the order of their requests and a failing broker holds up one batch, not a queue of them. A rebalance waits for both.

Killed anywhere before 5, the next owner scores the same requests again: the same lists under the same ids, and
consumers keep the higher `state_version`. So a list may come twice and never not at all.

This module does not know torch: scoring is a callable.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from app.contracts.recommendations import NEWCOMER_ID
from app.kafka.errors import may_pass
from app.kafka.fetch_wait import FetchWait
from app.kafka.outgoing import Outgoing
from app.kafka.publisher import Publisher
from app.observability import Metrics
from app.surfaces.touches import History
from model_server import metrics as table
from model_server.health import Health
from model_server.lists import Edition, dead_letter_message, list_messages
from model_server.requests import Backlog, Request, UnreadableRequest, read_request
from model_server.scoring.scorer import Scored

_POLL_MS: Final = 200
_POLL_RECORDS: Final = 1_024
_POLLS: Final = 4  # merged at most: beyond that users wait longer than collapsing saves
_BACKLOG_BATCHES: Final = 4  # read ahead, so that requests of one user collapse
_COMMIT_EVERY_S: Final = 0.25
_COMMIT_TIMEOUT_S: Final = 5.0
_RETRY_S: Final = 0.5

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Topology:
    """The names the worker needs."""

    score_requests: str
    dead_letters: str


@dataclass(frozen=True, slots=True, eq=False)
class Scoring:
    """One model version, for the worker.

    Args:
        score: user ids and their histories -> lists.
        edition: what all of its lists share.
    """

    score: Callable[[Sequence[str], Sequence[History]], Scored]
    edition: Edition


@dataclass(frozen=True, slots=True, eq=False)
class Means:
    """What the worker works with.

    Args:
        consumer: of `score-requests`, in the group, started, not subscribed yet.
        publisher: where lists go.
        scoring: the version of now, asked once a batch; called in `thread`.
        thread: one thread.
        max_batch_users: most users scored at once.
        fetch_wait: of `consumer`, told of every poll.
        health: told how it goes.
        metrics: the process's.
        clock_ms: wall clock, ms since 1970.
    """

    consumer: AIOKafkaConsumer
    publisher: Publisher
    scoring: Callable[[], Scoring]
    thread: Executor
    max_batch_users: int
    fetch_wait: FetchWait
    health: Health
    metrics: Metrics
    clock_ms: Callable[[], int]


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    requests: list[Request]
    messages: list[Outgoing]
    scored: Scored


class Worker(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """See the module."""

    def __init__(self, means: Means, topology: Topology) -> None:
        self._means = means
        self._topology = topology
        self._backlog = Backlog()
        self._unreadable: list[UnreadableRequest] = []
        self._turn = asyncio.Lock()  # held while a batch is scored; giving up partitions waits for it
        self._delivery: asyncio.Task[None] | None = None  # of the batch before; at most one
        self._revoking = False
        self._failed: Exception | None = None  # while partitions were given up
        self._committed: dict[int, int] = {}
        self._next_commit_s = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Score until `stop`; the batches in hand are finished and committed.

        Raises:
            Exception: a broken program; nothing unpublished was committed.
        """
        self._means.consumer.subscribe([self._topology.score_requests], listener=self)
        while not stop.is_set():
            await self._read(0 if self._backlog else _POLL_MS)
            if self._failed is not None:
                raise self._failed
            async with self._turn:
                await self._serve()
        async with self._turn:
            await self._settle()
            await self._commit()

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Finish the batches in hand, commit, and forget what waits: its next owner reads it again."""
        # From here to the new assignment aiokafka hands out no records.
        self._revoking = True
        async with self._turn:
            try:
                await self._settle()
                if revoked:
                    await self._commit()
            except Exception as error:  # aiokafka would log it and go on; `run` ends with it
                self._failed = error
            self._backlog.clear()
            self._unreadable.clear()
            self._committed.clear()
            self._means.health.batch_ended()
            self._means.health.lists_refused = False
            self._means.health.assigned = False

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Go on from the committed offsets."""
        self._revoking = False
        self._means.health.assigned = bool(assigned)
        logger.info("Scoring partitions %s.", sorted(each.partition for each in assigned))

    async def _read(self, wait_ms: int) -> None:
        """Steps 1 and 2. No await between a poll and its merge: a rebalance cannot come between them."""
        metrics = self._means.metrics
        for _ in range(_POLLS):
            if len(self._backlog) >= _BACKLOG_BATCHES * self._means.max_batch_users:
                return
            polled = await self._means.consumer.getmany(timeout_ms=wait_ms, max_records=_POLL_RECORDS)
            self._means.fetch_wait.polled(len(polled))
            for partition, records in polled.items():
                read = [read_request(record) for record in records]
                self._unreadable.extend(each for each in read if isinstance(each, UnreadableRequest))
                collapsed = self._backlog.add(each for each in read if isinstance(each, Request))
                self._backlog.read_until(partition.partition, records[-1].offset + 1)
                metrics.counter(table.REQUESTS).inc(len(records))
                metrics.counter(table.COLLAPSED).inc(collapsed)
            if not polled:
                return
            wait_ms = 0

    async def _serve(self) -> None:
        """Steps 3 to 5, for one batch of what waits."""
        self._means.metrics.gauge(table.BACKLOG).set(len(self._backlog))
        if self._unreadable:
            await self._set_aside()
        if self._backlog:
            await self._serve_batch(self._backlog.next_batch(self._means.max_batch_users))
        elif self._delivery is not None and self._delivery.done():
            await self._settle()  # an error must not wait for the next request
        if asyncio.get_running_loop().time() >= self._next_commit_s:
            await self._commit()

    async def _serve_batch(self, requests: list[Request]) -> None:
        self._means.health.batch_began()
        began_ms = self._means.clock_ms()
        loop = asyncio.get_running_loop()
        # Asked and handed to the thread without an await between: no version is let go in between.
        scoring = loop.run_in_executor(self._means.thread, self._make, requests, self._means.scoring())
        await self._read(0)
        batch = await scoring
        await self._settle()
        self._delivery = loop.create_task(self._deliver(batch, began_ms), name="delivery")

    async def _deliver(self, batch: _Batch, began_ms: int) -> None:
        """Step 4, beside the scoring of the next batch; what is not published stays in hand."""
        loop = asyncio.get_running_loop()
        sent_s = loop.time()
        if await self._publish(batch.messages):
            self._backlog.done(batch.requests)
            self._observe(batch, began_ms, loop.time() - sent_s)
        if self._backlog.in_hand:
            self._means.health.batch_began()  # the next one is
        else:
            self._means.health.batch_ended()

    async def _settle(self) -> None:
        """Wait until the batch before is acknowledged.

        Raises:
            Exception: that of its delivery.
        """
        delivery, self._delivery = self._delivery, None
        if delivery is not None:
            await delivery

    def _make(self, requests: list[Request], scoring: Scoring) -> _Batch:
        """Step 3, in the scoring thread: from states to encoded lists."""
        known = [(request.user_id, request.history) for request in requests if request.history is not None]
        scored = scoring.score([user_id for user_id, _ in known], [history for _, history in known])
        messages = list_messages(requests, scored.lists, scoring.edition, self._means.clock_ms())
        return _Batch(requests, messages, scored)

    async def _set_aside(self) -> None:
        """Make dead letters of requests that cannot be read, for example those of another schema version."""
        names = self._topology
        letters = [dead_letter_message(each, names.score_requests, names.dead_letters) for each in self._unreadable]
        logger.warning("%d score requests cannot be read: %s", len(letters), self._unreadable[-1].reason)
        if await self._publish(letters):
            self._means.metrics.counter(table.UNREADABLE).inc(len(letters))
            self._unreadable.clear()

    async def _publish(self, messages: Sequence[Outgoing]) -> bool:
        """Step 4. A broker that is away is waited for; False when the partitions must be given up meanwhile."""
        while True:
            try:
                await self._means.publisher.publish(messages)
            except KafkaError as error:
                if not may_pass(error):
                    raise
                logger.warning("Kafka does not take the lists, trying again: %r", error)
                self._means.health.lists_refused = True
                if self._revoking:
                    return False
                await asyncio.sleep(_RETRY_S)
            else:
                self._means.health.lists_refused = False
                return True

    async def _commit(self) -> None:
        """Step 5. What cannot be committed now is committed later, or read again by the next owner."""
        self._next_commit_s = asyncio.get_running_loop().time() + _COMMIT_EVERY_S
        safe = self._backlog.committable()
        changed = {partition: offset for partition, offset in safe.items() if self._committed.get(partition) != offset}
        mine = {each.partition for each in self._means.consumer.assignment()}
        offsets = {
            TopicPartition(self._topology.score_requests, partition): offset
            for partition, offset in changed.items()
            if partition in mine
        }
        if not offsets or self._unreadable:
            return
        try:
            # aiokafka retries for ever by itself; a batch must not wait for a coordinator that is away.
            await asyncio.wait_for(self._means.consumer.commit(offsets), _COMMIT_TIMEOUT_S)
        except (CommitFailedError, IllegalStateError) as error:
            logger.info("Offsets were not committed, the group has changed: %s", error)
        except TimeoutError:
            logger.warning("Offsets could not be committed within %.0f s.", _COMMIT_TIMEOUT_S)
        else:
            self._committed.update(changed)

    def _observe(self, batch: _Batch, began_ms: int, publish_s: float) -> None:
        """Count a batch that was acknowledged just now."""
        metrics, scored = self._means.metrics, batch.scored
        now_ms = self._means.clock_ms()
        for request in batch.requests:
            metrics.histogram(table.REQUEST_WAIT).observe(max(0, began_ms - request.timestamp_ms) / 1_000)
            if request.state is not None:
                freshness_ms = now_ms - request.state.cause.received_ts_ms
                metrics.histogram(table.EVENT_TO_RECOMMENDATION).observe(max(0, freshness_ms) / 1_000)
        metrics.histogram(table.ENCODE).observe(scored.encode_s)
        metrics.histogram(table.RETRIEVE).observe(scored.retrieve_s)
        metrics.histogram(table.PUBLISH).observe(publish_s)
        metrics.histogram(table.BATCH_USERS).observe(len(scored.lists))
        metrics.counter(table.USERS_SCORED).inc(len(scored.lists))
        metrics.counter(table.USERS_FORGOTTEN).inc(len(batch.requests) - len(scored.lists))
        newcomers = sum(request.user_id == NEWCOMER_ID for request in batch.requests)  # nobody: no fallback
        metrics.counter(table.FALLBACK_USERS).inc(scored.fallback_users - newcomers)
        metrics.counter(table.UNKNOWN_ITEMS).inc(scored.unknown_items)
        for source, places in scored.sources.items():
            metrics.counter(table.RECOMMENDED_ITEMS, source).inc(places)
