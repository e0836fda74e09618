"""Round by round: what one poll brought is worked out, then carried to Kafka while the next one is worked out.

At most one round is on its way. A partition's batches are worked out in order, the next one on the rows of the one
before, which may not be in the table yet. A batch that failed takes those behind it along: they go back to the cursor.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.errors import IllegalStateError
from faust.types import TP

from app.kafka.errors import may_pass
from stream_agents.batch_path.consumer_thread import Polled
from stream_agents.batch_path.cursors import Admission, Cursors
from stream_agents.batch_path.delivery import Delivery, PreparedBatch
from stream_agents.batch_path.lease import LeaseLost
from stream_agents.batch_path.parts import PathParts
from stream_agents.batch_path.upkeep import Upkeep

log = logging.getLogger("riverrun.agents")

FIRST_BACKOFF_S = 0.1
MAX_BACKOFF_S = 2.0


@dataclass(frozen=True, slots=True)
class Assignment:
    """What the consumer says of its partitions.

    Attributes:
        serving: the hot partitions that are assigned, restored and writable now.
        is_void: whether what was polled in this epoch belongs to an assignment that is over, or to a worker that stops.
        rewind: fetch a partition from this offset next; raises IllegalStateError where it is not assigned any more.
    """

    serving: Callable[[], set[TP]]
    is_void: Callable[[int], bool]
    rewind: Callable[[TP, int], Awaitable[None]]


@dataclass(frozen=True, slots=True, eq=False)
class InHand:
    """A batch that is worked out, and when that began on the loop's clock."""

    batch: PreparedBatch[Any]
    began_s: float


class Rounds:
    """The batches in hand of all served partitions.

    Args:
        parts: of the path.
        delivery: carries one batch.
        upkeep: looks at a partition before its first batch, and between batches.
        cursors: of the assigned partitions; only what was delivered moves them.
        assignment: what may be served.
    """

    def __init__(
        self, parts: PathParts, delivery: Delivery[Any], upkeep: Upkeep, cursors: Cursors, assignment: Assignment
    ) -> None:
        self._parts, self._delivery, self._upkeep = parts, delivery, upkeep
        self._cursors, self._assignment = cursors, assignment
        self._under_way: asyncio.Future[None] | None = None  # the delivery of a round
        self._rows_under_way: Mapping[int, Mapping[bytes, bytes | None]] = {}  # by partition
        self._locks: dict[int, asyncio.Lock] = {}  # by partition: a batch and upkeep never meet
        self._begun: set[int] = set()  # partitions whose state was checked against the source since the assignment
        self._backoff_s = FIRST_BACKOFF_S

    async def prepare(self, polled: Polled) -> list[InHand]:
        """Work out what was polled, partition by partition; what is void or must be fetched again is left out."""
        if not self._assignment.is_void(polled.epoch):
            for tp, records in polled.records.items():  # one that was never committed has no other cursor to go back to
                self._cursors.start(tp.partition, records[0].offset)
        try:
            each = [await self._prepare(tp, records, polled.epoch) for tp, records in polled.records.items()]
        except Exception as error:  # judged by `_try_again`
            await self.delivered()
            await self._try_again({tp.partition: error for tp in polled.records})
            return []
        return [batch for batch in each if batch is not None]

    async def _prepare(self, tp: TP, records: Sequence[Any], epoch: int) -> InHand | None:
        began_s, partition = asyncio.get_running_loop().time(), tp.partition
        if partition not in self._begun and not self._assignment.is_void(epoch):
            async with self._lock(partition):
                await self._begin(tp)
        if self._assignment.is_void(epoch):
            return None
        # Meanwhile the partition may have been paused.
        admission = self._cursors.admit(partition, records[0].offset)
        if admission is Admission.REWIND or tp not in self._assignment.serving():
            await self.rewind(partition)
            return None
        batch = self._delivery.prepare(partition, records, self._rows_under_way.get(partition, {}))
        self._cursors.take(partition, batch.next_offset)
        return InHand(batch, began_s)

    def start(self, prepared: Sequence[InHand]) -> None:
        """Send a round on its way; the one before has been delivered."""
        # Without those whose batch before has failed: they were worked out on rows that are not there.
        whole = [each for each in prepared if self._cursors.holds(each.batch.partition, each.batch.next_offset)]
        self._rows_under_way = {each.batch.partition: each.batch.processed.rows for each in whole}
        # A task of its own: Faust cancels the loop's when it stops, and a half-done batch would be done twice.
        self._under_way = asyncio.ensure_future(self._deliver_all(whole))

    async def delivered(self) -> None:
        """Wait for the round under way."""
        while self._under_way is not None and not self._under_way.done():
            await asyncio.wait([self._under_way])

    async def give_back(self, polled: Polled) -> None:
        """Fetch it again when the flow goes on."""
        for tp, records in polled.records.items():
            self._cursors.start(tp.partition, records[0].offset)
            self._cursors.put_back(tp.partition)
            await self.rewind(tp.partition)

    async def rewind(self, partition: int) -> None:
        """Let the consumer go on behind what is in hand."""
        expected = self._cursors.expected(partition)
        if expected is not None:
            tp = TP(self._parts.hot.source, partition)
            try:
                await self._assignment.rewind(tp, expected)
            except IllegalStateError:
                log.debug("%s was revoked before it could go back to %d", tp, expected)

    async def look_after(self, tp: TP) -> None:
        """Between two batches of a partition; raises what `Upkeep` raises."""
        async with self._lock(tp.partition):
            # Under the lock: a batch in between would look like a stranger's rows, and a revocation waits for it.
            if tp not in self._assignment.serving():
                return
            if tp.partition not in self._begun:
                await self._begin(tp)
            await self._upkeep.look(tp)

    async def at_rest(self) -> None:
        """Wait for the round under way, and for whoever looks after a partition."""
        await self.delivered()
        for lock in list(self._locks.values()):
            async with lock:
                pass

    def forget(self) -> None:
        """The partitions were revoked: each one's state is checked again before its first batch."""
        self._begun.clear()

    async def _begin(self, tp: TP) -> None:
        await self._upkeep.begin(tp)
        self._begun.add(tp.partition)

    async def _deliver_all(self, whole: Sequence[InHand]) -> None:
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

    async def _deliver(self, in_hand: InHand) -> None:
        batch = in_hand.batch
        async with self._lock(batch.partition):
            summary = await self._delivery.deliver(batch)
            self._cursors.advance(batch.partition, batch.next_offset)
        seconds = asyncio.get_running_loop().time() - in_hand.began_s
        self._parts.observer.batch_done(batch.partition, summary, next_offset=batch.next_offset, seconds=seconds)

    async def _try_again(self, failed: Mapping[int, BaseException]) -> None:
        """Go back to the cursors after a pause; end the worker where that cannot help."""
        # All of them before anything else: the batch behind a failed one must never move its cursor.
        for partition in failed:
            self._cursors.put_back(partition)
        fatal = next((error for error in failed.values() if not worth_another_try(error)), None)
        if fatal is not None:
            self._parts.on_failure(fatal)
            return
        self._parts.observer.retrying(in_words(next(iter(failed.values()))))
        await asyncio.sleep(self._backoff_s)
        self._backoff_s = min(2 * self._backoff_s, MAX_BACKOFF_S)
        # At once, not when the next poll starts past the cursor: there may never be a next record.
        for partition in failed:
            await self.rewind(partition)

    def _lock(self, partition: int) -> asyncio.Lock:
        return self._locks.setdefault(partition, asyncio.Lock())


def worth_another_try(error: BaseException) -> bool:
    """Whether doing the same again can help."""
    return isinstance(error, LeaseLost) or may_pass(error)


def in_words(error: BaseException) -> str:
    """An error as one line of a log."""
    return f"{type(error).__name__}: {error}".rstrip(": ")
