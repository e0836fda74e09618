"""The worker's overlap: a batch is scored while the one before is acknowledged, and nothing is committed early."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError, MessageSizeTooLargeError

from app.contracts.recommendations import decode_recommendations
from app.interests.state import Kind, encode_state
from app.kafka.fetch_wait import FetchWait
from app.kafka.outgoing import Outgoing
from app.kafka.publisher import Publisher
from app.observability import Metrics
from app.surfaces.touches import History
from model_server import metrics as table
from model_server.health import BATCH_STUCK_S, Health
from model_server.lists import Edition
from model_server.scoring.scorer import Scored
from model_server.worker import Means, Scoring, Topology, Worker
from tests.support.states import state_of

PARTITION = TopicPartition("score-requests", 0)


@dataclass(frozen=True)
class Record:
    key: bytes
    value: bytes
    offset: int
    partition: int = 0
    timestamp: int = 0


class ScriptedConsumer:
    """Hands out what a test gives it, and remembers what was committed."""

    def __init__(self) -> None:
        self.arrived: asyncio.Queue[Record] = asyncio.Queue()
        self.committed = 0
        self._fetcher = SimpleNamespace()

    def subscribe(self, _topics: Sequence[str], listener: Worker) -> None:
        self.listener = listener

    def assignment(self) -> set[TopicPartition]:
        return {PARTITION}

    async def getmany(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Record]]:
        try:
            first = await asyncio.wait_for(self.arrived.get(), max(timeout_ms, 1) / 1_000)
        except TimeoutError:
            return {}
        rest = [self.arrived.get_nowait() for _ in range(min(max_records - 1, self.arrived.qsize()))]
        return {PARTITION: [first, *rest]}

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.committed = offsets[PARTITION]


class HeldPublisher(Publisher):
    """Acknowledges a batch when the test says so."""

    def __init__(self) -> None:
        super().__init__(producer=None)
        self.sent: list[list[str]] = []
        self.versions: list[set[str]] = []
        self.acknowledge = asyncio.Semaphore(0)
        self.error: Exception | None = None

    async def publish(self, records: Iterable[Outgoing]) -> None:
        sent = list(records)
        self.sent.append([(record.key or b"").decode() for record in sent])
        self.versions.append({decode_recommendations(record.value).model_version for record in sent if record.value})
        await self.acknowledge.acquire()
        if self.error is not None:
            raise self.error


class Bench:
    """A worker with both of its ends."""

    def __init__(self) -> None:
        self.consumer, self.publisher = ScriptedConsumer(), HeldPublisher()
        self.scored: list[int] = []
        self.version = "v1"
        self.now_s = 0.0
        self.health = Health(lambda: self.now_s)
        self.stop = asyncio.Event()
        self._offset = 0

    def score(self, user_ids: Sequence[str], histories: Sequence[History]) -> Scored:
        assert len(user_ids) == len(histories)
        self.scored.append(len(histories))
        return Scored(lists=[{} for _ in histories])

    def request(self, user: str) -> None:
        state = state_of((Kind.VIEW, "a"), version=self._offset)
        self.consumer.arrived.put_nowait(Record(user.encode(), encode_state(state), self._offset))
        self._offset += 1

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():  # noqa: ASYNC110  # what it waits for lies in several places
                await asyncio.sleep(0.001)


@asynccontextmanager
async def working() -> AsyncIterator[Bench]:
    bench = Bench()
    with ThreadPoolExecutor(1) as thread:
        means = Means(
            consumer=bench.consumer,
            fetch_wait=FetchWait(bench.consumer, busy_ms=5, now_s=lambda: 0.0),
            publisher=bench.publisher,
            scoring=lambda: Scoring(bench.score, Edition("recommendations", bench.version, "default")),
            thread=thread,
            max_batch_users=2,
            health=bench.health,
            metrics=Metrics(table.TABLE),
            clock_ms=lambda: 0,
        )
        worker = Worker(means, Topology("score-requests", "dead-letters"))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(worker.run(bench.stop))
            yield bench
            bench.stop.set()
            for _ in range(100):
                bench.publisher.acknowledge.release()


async def test_the_next_batch_is_scored_while_the_one_before_is_acknowledged() -> None:
    async with working() as bench:
        bench.request("ada")
        await bench.until(lambda: bench.publisher.sent == [["ada"]])
        bench.request("bob")
        await bench.until(lambda: bench.scored == [1, 1])
        assert bench.publisher.sent == [["ada"]]  # bob's list waits for the acknowledgement of ada's
        bench.publisher.acknowledge.release()
        await bench.until(lambda: bench.publisher.sent == [["ada"], ["bob"]])
    assert bench.consumer.committed == 2


async def test_a_batch_is_of_one_version_and_the_next_one_is_of_the_next() -> None:
    async with working() as bench:
        bench.request("ada")
        await bench.until(lambda: bench.scored == [1])
        bench.version = "v2"  # while ada's list waits for its acknowledgement
        bench.request("bob")
        bench.request("eve")
        await bench.until(lambda: sum(bench.scored) == 3)
        for _ in range(3):
            bench.publisher.acknowledge.release()
        await bench.until(lambda: sum(map(len, bench.publisher.sent)) == 3)
    assert bench.publisher.versions[0] == {"v1"}
    assert set().union(*bench.publisher.versions[1:]) == {"v2"}


async def test_only_what_is_acknowledged_is_committed() -> None:
    async with working() as bench:
        bench.request("ada")
        await bench.until(lambda: len(bench.publisher.sent) == 1)
        bench.request("bob")
        await bench.until(lambda: len(bench.scored) == 2)
        await asyncio.sleep(0.4)  # more than the time between commits
        assert bench.consumer.committed == 0
        bench.publisher.acknowledge.release()
        await bench.until(lambda: bench.consumer.committed == 1)
    assert bench.consumer.committed == 2


async def test_giving_up_partitions_waits_for_both_batches_and_forgets_what_waits() -> None:
    async with working() as bench:
        bench.request("ada")
        await bench.until(lambda: len(bench.publisher.sent) == 1)
        revoked = asyncio.create_task(bench.consumer.listener.on_partitions_revoked({PARTITION}))
        await asyncio.sleep(0.05)
        assert not revoked.done()
        bench.publisher.acknowledge.release()
        await asyncio.wait_for(revoked, 30)
        assert bench.consumer.committed == 1


@pytest.mark.parametrize("error", [KafkaConnectionError(), KafkaTimeoutError()])
async def test_a_broker_that_is_away_gives_nothing_up_but_its_partitions(error: Exception) -> None:
    async with working() as bench:
        bench.publisher.error = error
        bench.request("ada")
        bench.publisher.acknowledge.release()
        await bench.until(lambda: bench.health.lists_refused)
        revoked = asyncio.create_task(bench.consumer.listener.on_partitions_revoked({PARTITION}))
        bench.publisher.acknowledge.release()
        await asyncio.wait_for(revoked, 30)
        assert bench.consumer.committed == 0
        bench.publisher.error = None


async def test_an_idle_worker_is_not_taken_for_a_stuck_one() -> None:
    async with working() as bench:
        bench.publisher.acknowledge.release()
        bench.publisher.acknowledge.release()
        bench.request("ada")
        bench.request("bob")
        bench.request("eve")
        await bench.until(lambda: bench.consumer.committed == 3)
        bench.now_s += 2 * BATCH_STUCK_S
        bench.health.beat()
        assert bench.health.healthy().ok


async def test_an_error_of_the_last_batch_is_not_kept_for_the_next_request() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        async with working() as bench:
            bench.publisher.error = MessageSizeTooLargeError()
            bench.request("ada")
            bench.publisher.acknowledge.release()
            await asyncio.sleep(5)
    assert caught.group_contains(MessageSizeTooLargeError)


async def test_an_error_while_partitions_are_given_up_ends_the_worker_and_leaves_nothing_in_hand() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        async with working() as bench:
            bench.request("ada")
            await bench.until(lambda: len(bench.publisher.sent) == 1)
            bench.publisher.error = MessageSizeTooLargeError()
            revoked = asyncio.create_task(bench.consumer.listener.on_partitions_revoked({PARTITION}))
            bench.publisher.acknowledge.release()
            await asyncio.wait_for(revoked, 30)  # aiokafka would only log what comes out of it
            assert bench.consumer.committed == 0
            await asyncio.sleep(5)
    assert caught.group_contains(MessageSizeTooLargeError)
