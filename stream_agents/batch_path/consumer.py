"""Faust's consumer, with one topic served in batches from a loop of its own.

Faust gives every record two tasks, a queue and an acknowledgement: about 80 microseconds before an agent sees it.
Here the hot topic's partitions are kept out of Faust's `_getmany` and polled by `_serve_hot_topic`, in the same
consumer: same group member, same assignment, same commits. A slow agent on another topic does not delay them.

Overridden, because Faust keeps per-record books that the hot topic does not have: `_filter_tps_with_pending_acks` and
`_new_offset` (commit the cursor), `on_partitions_revoked` (commit before Faust forgets what to commit), `wait_empty`
(wait for the batch under way), `perform_seek` and `seek` (the cursors follow), `verify_event_path` (Faust would
complain).
"""

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from aiokafka.errors import IllegalStateError, KafkaError, KafkaTimeoutError
from faust.tables.manager import TableManager
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode import Service

from app.errors import StateError
from stream_agents.batch_path.consumer_thread import BatchConsumerThread, Polled, ThreadOptions
from stream_agents.batch_path.cursors import Admission, Cursors
from stream_agents.batch_path.delivery import PreparedBatch
from stream_agents.batch_path.lease import LeaseLost
from stream_agents.batch_path.parts import PathParts
from stream_agents.batch_path.restore import ChangelogRestorer
from stream_agents.batch_path.upkeep import Upkeep

log = logging.getLogger("riverrun.agents")

POLL_TIMEOUT_S = 0.5
NOT_READY_PAUSE_S = 0.02
FLOOD_RECORDS = 1_000  # in one poll
FIRST_BACKOFF_S = 0.1
MAX_BACKOFF_S = 2.0
LOOK_AT_TOPICS_S = 60.0  # a log that is shorter than it was is seen within seconds anyway


@dataclass(frozen=True, slots=True, eq=False)
class _InHand:
    batch: PreparedBatch[Any]
    began_s: float


class BatchConsumer(driver.Consumer):
    """The worker's one consumer; its parts come from the application that the transport belongs to."""

    _thread: BatchConsumerThread

    def __init__(self, transport: Any, *args: Any, **kwargs: Any) -> None:
        self.parts: PathParts = transport.app.path_parts
        self.assignment_epoch = 0  # counts revocations: what was fetched in an older epoch is void
        self._under_way: asyncio.Future[None] | None = None  # the delivery of a round, at most one
        self._rows_under_way: Mapping[int, Mapping[bytes, bytes | None]] = {}  # by partition
        self._partition_locks: dict[int, asyncio.Lock] = {}
        self._backoff_s = FIRST_BACKOFF_S
        self._cursors = Cursors()
        super().__init__(transport, *args, **kwargs)
        self._restorer = ChangelogRestorer(self.parts)
        self._begun: set[int] = set()  # partitions whose state was checked against the source since the assignment
        self._delivery = self.parts.delivery(self._thread.still_member)
        self._upkeep = Upkeep(
            self.parts, self._delivery, self._restorer, self._cursors, self.highwaters, self._thread.position_now
        )

    def _new_consumer_thread(self) -> BatchConsumerThread:
        options = ThreadOptions(self.parts.limits.fetch_max_wait_ms, self.parts.lease, lambda: self.assignment_epoch)
        return BatchConsumerThread(self, options, loop=self.loop, beacon=self.beacon)

    # --- the loop

    @Service.task
    async def _serve_hot_topic(self) -> None:
        """Round by round. In a flood the next one is worked out while one is on its way to Kafka.

        Of a trickle it gathers meanwhile: small rounds cost more than they gain.
        """
        flood = False
        while not self.should_stop:
            if not flood:
                await self._round_finished()
            serving = self._serving()
            if not serving:
                self.parts.observer.not_serving()
                await asyncio.sleep(NOT_READY_PAUSE_S)
                continue
            try:
                polled = await self._thread.poll(serving, POLL_TIMEOUT_S)
            except self.consumer_stopped_errors:
                if self.app.should_stop:
                    return
                raise
            flood = sum(map(len, polled.records.values())) >= FLOOD_RECORDS
            prepared = await self._prepare_round(polled)
            await self._round_finished()
            if self._is_void(polled.epoch):
                await self._give_back(polled)
            elif prepared:
                self._start_round(prepared)

    def _serving(self) -> set[TP]:
        """The hot partitions that are assigned, restored and writable now."""
        if not (self.flow_active and self.app.tables.actives_ready and self.parts.lease.held):
            return set()
        serving = {tp for tp in self._get_active_partitions() if self._is_hot(tp)}
        self.parts.observer.serving(frozenset(tp.partition for tp in serving))
        return serving

    async def _prepare_round(self, polled: Polled) -> list[_InHand]:
        try:
            each = [await self._prepare(tp, records, polled.epoch) for tp, records in polled.records.items()]
        except Exception as error:  # judged by `_try_again`
            await self._round_finished()
            await self._try_again({tp.partition: error for tp in polled.records})
            return []
        return [batch for batch in each if batch is not None]

    async def _prepare(self, tp: TP, records: Sequence[Any], epoch: int) -> _InHand | None:
        """Work a partition's batch out; None when it is void, or must be fetched again."""
        began_s, partition = self.loop.time(), tp.partition
        if partition not in self._begun and not self._is_void(epoch):
            async with self._lock(partition):
                await self._upkeep.begin(tp)
                self._begun.add(partition)
        if self._is_void(epoch):
            return None
        # Meanwhile the partition may have been paused.
        if self._cursors.admit(partition, records[0].offset) is Admission.REWIND or tp not in self._serving():
            await self._rewind(partition)
            return None
        batch = self._delivery.prepare(partition, records, self._rows_under_way.get(partition, {}))
        self._cursors.take(partition, batch.next_offset)
        return _InHand(batch, began_s)

    def _is_void(self, epoch: int) -> bool:
        """Whether what was polled in this epoch belongs to an assignment that is over, or to a worker that stops."""
        return epoch != self.assignment_epoch or not self.flow_active

    async def _give_back(self, polled: Polled) -> None:
        """The flow was stopped: fetch it again when it goes on. After a revocation somebody else does."""
        if polled.epoch == self.assignment_epoch:
            for tp, records in polled.records.items():
                self._cursors.start(tp.partition, records[0].offset)
                self._cursors.put_back(tp.partition)
                await self._rewind(tp.partition)

    def _start_round(self, prepared: Sequence[_InHand]) -> None:
        # Without those whose batch before has failed: they were worked out on rows that are not there.
        whole = [each for each in prepared if self._cursors.holds(each.batch.partition, each.batch.next_offset)]
        self._rows_under_way = {each.batch.partition: each.batch.processed.rows for each in whole}
        # A task of its own: Faust cancels the loop's when it stops, and a half-done batch would be done twice.
        self._under_way = asyncio.ensure_future(self._deliver_round(whole))

    async def _deliver_round(self, whole: Sequence[_InHand]) -> None:
        outcomes = await asyncio.gather(*map(self._deliver, whole), return_exceptions=True)
        self._rows_under_way = {}
        failed = {
            each.batch.partition: error
            for each, error in zip(whole, outcomes, strict=True)
            if isinstance(error, BaseException)
        }
        if failed:
            await self._try_again(failed)
        else:
            self._backoff_s = FIRST_BACKOFF_S

    async def _deliver(self, in_hand: _InHand) -> None:
        batch = in_hand.batch
        async with self._lock(batch.partition):
            summary = await self._delivery.deliver(batch)
            self._cursors.advance(batch.partition, batch.next_offset)
        seconds = self.loop.time() - in_hand.began_s
        self.parts.observer.batch_done(batch.partition, summary, next_offset=batch.next_offset, seconds=seconds)

    async def _try_again(self, failed: Mapping[int, BaseException]) -> None:
        """Go back to the cursors after a pause; end the worker where that cannot help."""
        # All of them before anything else: the batch behind a failed one must never move its cursor.
        for partition in failed:
            self._cursors.put_back(partition)
        fatal = next((error for error in failed.values() if not _is_retriable(error)), None)
        if fatal is not None:
            self.parts.on_failure(fatal)
            return
        self.parts.observer.retrying(_in_words(next(iter(failed.values()))))
        await asyncio.sleep(self._backoff_s)
        self._backoff_s = min(2 * self._backoff_s, MAX_BACKOFF_S)
        # At once, not when the next poll starts past the cursor: there may never be a next record.
        for partition in failed:
            await self._rewind(partition)

    async def _rewind(self, partition: int) -> None:
        expected = self._cursors.expected(partition)
        if expected is not None:
            tp = TP(self.parts.hot.source, partition)
            try:
                await self._thread.rewind(tp, expected)
            except IllegalStateError:
                log.debug("%s was revoked before it could go back to %d", tp, expected)

    async def _round_finished(self) -> None:
        while self._under_way is not None and not self._under_way.done():
            await asyncio.wait([self._under_way])

    @Service.task
    async def _look_after_partitions(self) -> None:
        while not self.should_stop:
            await self.sleep(self.parts.limits.idle_check_s)
            serving = self._serving()
            try:
                # Also with nothing to serve: that is how a deleted topic looks.
                await self.parts.check_topics(LOOK_AT_TOPICS_S if serving else self.parts.limits.idle_check_s)
                for tp in serving:
                    await self._look_after(tp)
                if serving:
                    self.parts.observer.all_well()
            except Exception as error:  # judged just below; only what can pass is survived
                if not _is_retriable(error):
                    self.parts.on_failure(error)
                    return
                self.parts.observer.retrying(_in_words(error))

    async def _look_after(self, tp: TP) -> None:
        async with self._lock(tp.partition):
            # Under the lock: a batch in between would look like a stranger's rows, and a revocation waits for it.
            if tp not in self._serving():
                return
            if tp.partition not in self._begun:
                await self._upkeep.begin(tp)
                self._begun.add(tp.partition)
            await self._upkeep.look(tp)

    # --- what Faust's own loop sees: everything but the hot topic, changelogs of the hot table in bulk

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Mapping[TP, list[Any]]:  # noqa: ASYNC109  # Faust's signature
        others = {tp for tp in active_partitions or () if not self._is_hot(tp)}
        if not others:  # an empty set would mean all partitions to aiokafka
            await asyncio.sleep(min(timeout, 0.1))
            return {}
        polled = await self._thread.poll(others, timeout)
        if polled.epoch != self.assignment_epoch:
            return {}
        tables = cast("TableManager", self.app.tables)
        return self._restorer.restore(polled.records, tables.recovery, restored=tables.actives_ready)

    # --- commits

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        yield from super()._filter_tps_with_pending_acks(topics)
        for partition in self._cursors.partitions():
            tp = TP(self.parts.hot.source, partition)
            if topics is None or tp in topics or tp.topic in topics:
                yield tp

    def _new_offset(self, tp: TP) -> int | None:
        if self._is_hot(tp):
            return self._cursors.get(tp.partition)
        return super()._new_offset(tp)

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        did_commit: bool = await super()._commit_offsets(offsets, start_new_transaction)
        if did_commit:
            self.parts.observer.committed({tp.partition: at for tp, at in offsets.items() if self._is_hot(tp)})
        return did_commit

    async def perform_seek(self) -> None:
        """Go to the committed offsets, which is where the cursors start."""
        await super().perform_seek()
        for tp in self.assignment():
            committed = self._committed_offset[tp]
            if self._is_hot(tp) and committed is not None:
                self._cursors.start(tp.partition, committed)
                self.parts.observer.positioned(tp.partition, committed)

    async def seek(self, partition: TP, offset: int) -> None:
        """Go on at another offset; in the hot topic after what is under way, which moves the cursor."""
        if not self._is_hot(partition):
            await super().seek(partition, offset)
            return
        await self._round_finished()
        self._cursors.move(partition.partition, offset)
        await self._rewind(partition.partition)

    # --- rebalance and stop

    async def finish(self) -> None:
        """Begin nothing more, and wait for what is under way."""
        self.assignment_epoch += 1
        self.stop_flow()
        self.parts.observer.not_serving()
        await self._all_finished()

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Finish the batch under way and commit while this member's generation is still valid."""
        await self.finish()
        await self.commit()
        self._cursors.clear()
        self._begun.clear()
        self._restorer.forget()
        self.parts.observer.revoked()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Check that every hot partition comes with its changelog, then let Faust restore the table."""
        hot = frozenset(tp.partition for tp in assigned if self._is_hot(tp))
        astray = [number for number in hot if TP(self.parts.hot.changelog, number) not in assigned]
        if astray:
            self.parts.on_failure(_astray(self.parts.hot.changelog, astray))
            return
        self.parts.observer.assigned(hot)
        await super().on_partitions_assigned(assigned, generation_id)

    async def wait_empty(self) -> None:
        """Wait for the batch under way, too."""
        await self._all_finished()
        await super().wait_empty()

    async def _all_finished(self) -> None:
        await self._round_finished()
        for lock in list(self._partition_locks.values()):
            async with lock:
                pass  # whoever looked after the partition is done

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Not for the hot topic: Faust looks at books that it does not have; the watchdog looks at the cursors."""
        if not self._is_hot(tp):
            super().verify_event_path(now, tp)

    def _is_hot(self, tp: TP) -> bool:
        return bool(tp.topic == self.parts.hot.source)

    def _lock(self, partition: int) -> asyncio.Lock:
        return self._partition_locks.setdefault(partition, asyncio.Lock())


def _is_retriable(error: BaseException) -> bool:
    # aiokafka does not call its own time-outs retriable.
    may_pass = isinstance(error, LeaseLost | TimeoutError | KafkaTimeoutError)
    return may_pass or (isinstance(error, KafkaError) and bool(error.retriable))


def _in_words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")


def _astray(changelog: str, partitions: Sequence[int]) -> StateError:
    return StateError(
        f"This worker got partitions {partitions} of the events, but not those of {changelog}.",
        hint="Both topics need the same number of partitions: run `riverrun topics apply`, then restart all agents.",
    )


class BatchTransport(driver.Transport):
    """Faust's transport with the consumer above."""

    Consumer = BatchConsumer
