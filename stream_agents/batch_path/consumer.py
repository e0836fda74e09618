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
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from faust.tables.manager import TableManager
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode import Service

from app.errors import StateError
from stream_agents.batch_path.consumer_thread import BatchConsumerThread, ThreadOptions
from stream_agents.batch_path.cursors import Cursors
from stream_agents.batch_path.database import outdated_error
from stream_agents.batch_path.parts import PathParts
from stream_agents.batch_path.restore import ChangelogRestorer
from stream_agents.batch_path.rounds import Assignment, Rounds, in_words, worth_another_try
from stream_agents.batch_path.standbys import Standbys
from stream_agents.batch_path.upkeep import Upkeep

POLL_TIMEOUT_S = 0.5
NOT_READY_PAUSE_S = 0.02
FLOOD_RECORDS = 1_000  # in one poll
LOOK_AT_TOPICS_S = 60.0  # a log that is shorter than it was is seen within seconds anyway


class BatchConsumer(driver.Consumer):
    """The worker's one consumer; its parts come from the application that the transport belongs to."""

    _thread: BatchConsumerThread

    def __init__(self, transport: Any, *args: Any, **kwargs: Any) -> None:
        self.parts: PathParts = transport.app.path_parts
        self.assignment_epoch = 0  # counts revocations: what was fetched in an older epoch is void
        self._cursors = Cursors()
        super().__init__(transport, *args, **kwargs)
        self._restorer = ChangelogRestorer(self.parts)
        delivery = self.parts.delivery(self._thread.still_member)
        upkeep = Upkeep(self.parts, delivery, self._restorer, self._cursors, self.highwaters, self._thread.position_now)
        assignment = Assignment(self._serving, self._is_void, self._thread.rewind)
        self._rounds = Rounds(self.parts, delivery, upkeep, self._cursors, assignment)
        self._standbys = Standbys(self.parts.table, self.highwaters, self.parts.now_ms)

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
                await self._rounds.delivered()
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
            prepared = await self._rounds.prepare(polled)
            await self._rounds.delivered()
            if not self._is_void(polled.epoch):
                if prepared:
                    self._rounds.start(prepared)
            elif polled.epoch == self.assignment_epoch:  # the flow was stopped; after a revocation others fetch it
                await self._rounds.give_back(polled)

    def _serving(self) -> set[TP]:
        """The hot partitions that are assigned, restored and writable now."""
        if not (self.flow_active and self.app.tables.actives_ready and self.parts.lease.held):
            return set()
        serving = {tp for tp in self._get_active_partitions() if self._is_hot(tp)}
        self.parts.observer.serving(frozenset(tp.partition for tp in serving))
        return serving

    def _is_void(self, epoch: int) -> bool:
        """Whether what was polled in this epoch belongs to an assignment that is over, or to a worker that stops."""
        return epoch != self.assignment_epoch or not self.flow_active

    @Service.task
    async def _look_after_partitions(self) -> None:
        while not self.should_stop:
            await self.sleep(self.parts.limits.idle_check_s)
            serving = self._serving()
            try:
                # Both also with nothing to serve: that is how a refused join looks, and a deleted topic.
                await self._thread.check_group()
                await self.parts.check_topics(LOOK_AT_TOPICS_S if serving else self.parts.limits.idle_check_s)
                for tp in serving:
                    await self._rounds.look_after(tp)
                await self._standbys.look(self._copied())
                if serving:
                    self.parts.observer.all_well()
            except Exception as error:  # judged just below; only what can pass is survived
                if not worth_another_try(error):
                    self.parts.on_failure(error)
                    return
                self.parts.observer.retrying(in_words(error))

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
        await self._rounds.delivered()
        self._cursors.move(partition.partition, offset)
        await self._rounds.rewind(partition.partition)

    # --- rebalance and stop

    async def finish(self) -> None:
        """Begin nothing more, and wait for what is under way."""
        self.assignment_epoch += 1
        self.stop_flow()
        self.parts.observer.not_serving()
        await self._rounds.at_rest()

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Finish the batch under way and commit while this member's generation is still valid."""
        await self.finish()
        await self.commit()
        self._cursors.clear()
        self._rounds.forget()
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
        outdated = self.parts.table.outdated(self.parts.now_ms())
        if outdated:  # and still open: only the next process opens it anew
            self.parts.on_failure(outdated_error(outdated))
            return
        self.parts.observer.assigned(hot)
        await super().on_partitions_assigned(assigned, generation_id)

    async def wait_empty(self) -> None:
        """Wait for the batch under way, too."""
        await self._rounds.at_rest()
        await super().wait_empty()

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Not for the hot topic: Faust looks at books that it does not have; the watchdog looks at the cursors."""
        if not self._is_hot(tp):
            super().verify_event_path(now, tp)

    def _copied(self) -> set[TP]:
        """The changelog partitions that are copied here for another worker."""
        standbys: set[TP] = cast("TableManager", self.app.tables).recovery.standby_tps
        return {tp for tp in standbys if tp.topic == self.parts.hot.changelog}

    def _is_hot(self, tp: TP) -> bool:
        return bool(tp.topic == self.parts.hot.source)


def _astray(changelog: str, partitions: Sequence[int]) -> StateError:
    return StateError(
        f"This worker got partitions {partitions} of the events, but not those of {changelog}.",
        hint="Both topics need the same number of partitions: run `riverrun topics apply`, then restart all agents.",
    )


class BatchTransport(driver.Transport):
    """Faust's transport with the consumer above."""

    Consumer = BatchConsumer
