"""Faust's consumer thread, with what the batch path needs inside it.

Polls carry their epoch, heartbeats renew the lease, and there are enough workers that a poll waiting for a rebalance
does not keep a commit from running.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode.threads import MethodQueue

from app.kafka.fetch_wait import FetchWait
from stream_agents.batch_path.group_errors import check_group
from stream_agents.batch_path.lease import Lease

# ruff: noqa: SLF001  # the seams into aiokafka are private by nature; compatibility.py checks them at start

METHOD_WORKERS = 4  # a hot poll, another poll, a commit, and one to spare
NO_GENERATION = -1


@dataclass(frozen=True, slots=True)
class ThreadOptions:
    """What the thread is told.

    Attributes:
        fetch_max_wait_ms: how long the broker may hold back an empty answer while there is traffic.
        lease: renewed by heartbeats.
        epoch: the consumer's count of revocations, now.
    """

    fetch_max_wait_ms: int
    lease: Lease
    epoch: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Polled:
    """Fetched records and the assignment epoch in which the consumer gave them out."""

    records: Mapping[TP, Sequence[Any]]
    epoch: int


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread in which aiokafka's consumer lives."""

    _fetch_wait: FetchWait  # from `on_start` on

    def __init__(self, consumer: Any, options: ThreadOptions, **kwargs: Any) -> None:
        self._options = options
        super().__init__(consumer, **kwargs)

    @property
    def method_queue(self) -> MethodQueue:
        """The calls waiting for this thread."""
        if self._method_queue is None:
            self._method_queue = MethodQueue(num_workers=METHOD_WORKERS, loop=self.thread_loop, beacon=self.beacon)
        return self._method_queue

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # Faust hard-codes 1,500 ms; one fetch is under way per broker, so idle partitions would block busy ones.
        consumer._fetch_max_wait_ms = self._options.fetch_max_wait_ms
        # Faust reads what a shop's transaction has taken back again, unless it writes in transactions itself.
        consumer._isolation_level = "read_committed"
        return consumer

    async def on_start(self) -> None:
        """Start the consumer, tie the lease to its heartbeats and its fetches' wait to the traffic."""
        await super().on_start()
        consumer = self._ensure_consumer()
        tie_lease(consumer._coordinator, self._options.lease)
        self._fetch_wait = FetchWait(consumer, self._options.fetch_max_wait_ms, time.monotonic)

    async def poll(self, partitions: set[TP], timeout_s: float) -> Polled:
        """Fetched records of these partitions (never empty: aiokafka reads that as all)."""
        return cast("Polled", await self.call_thread(self._poll, partitions, timeout_s))

    async def _poll(self, partitions: set[TP], timeout_s: float) -> Polled:
        consumer = self._ensure_consumer()
        records = await self._fetch_records(
            consumer, partitions, timeout=timeout_s, max_records=consumer._max_poll_records
        )
        self._fetch_wait.polled(sum(map(len, records.values())))
        # The epoch is read here, right after aiokafka gave the records out: a poll may wait through a whole rebalance,
        # so an epoch taken before it would condemn records of the new assignment.
        return Polled(records, self._options.epoch())

    def position_now(self, tp: TP) -> int | None:
        """The consumer's next offset, without waiting for one."""
        assignment = self._ensure_consumer()._subscription.subscription.assignment
        state = None if assignment is None else assignment.state_value(driver.ensure_aiokafka_TP(tp))
        return state.position if state is not None and state.has_valid_position else None

    async def rewind(self, tp: TP, offset: int) -> None:
        """Fetch from this offset next.

        Raises:
            aiokafka.errors.IllegalStateError: the partition is not assigned any more.
        """
        await self.call_thread(self._rewind, tp, offset)

    async def _rewind(self, tp: TP, offset: int) -> None:
        self._ensure_consumer().seek(driver.ensure_aiokafka_TP(tp), offset)

    async def still_member(self) -> bool:
        """Ask the coordinator, with a heartbeat, whether this worker is a member of the current generation."""
        return bool(await self.call_thread(self._heartbeat))

    async def _heartbeat(self) -> bool:
        coordinator = self._ensure_consumer()._coordinator
        return coordinator.generation != NO_GENERATION and bool(await coordinator._do_heartbeat())

    async def check_group(self) -> None:
        """Raise what the group's coordination has met (`group_errors.check_group`)."""
        await self.call_thread(self._check_group)

    async def _check_group(self) -> None:
        if self._consumer is not None:  # it has started
            check_group(self._consumer._coordinator)


def tie_lease(coordinator: Any, lease: Lease) -> None:
    """Renew the lease with every accepted heartbeat and every joined generation; drop it with the membership."""
    heartbeat: Callable[[], Awaitable[bool]] = coordinator._do_heartbeat
    join_complete: Callable[..., Awaitable[None]] = coordinator._on_join_complete
    reset: Callable[[], None] = coordinator.reset_generation

    async def do_heartbeat() -> bool:
        sent_at_s = lease.now_s()
        accepted = await heartbeat()
        if accepted:
            lease.renew(sent_at_s)
        return accepted

    async def on_join_complete(*args: Any) -> None:
        lease.renew(lease.now_s())
        await join_complete(*args)

    def reset_generation() -> None:
        lease.drop()
        reset()

    coordinator._do_heartbeat = do_heartbeat
    coordinator._on_join_complete = on_join_complete
    coordinator.reset_generation = reset_generation
