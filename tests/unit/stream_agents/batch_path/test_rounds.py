"""What happens to the batches in hand when one of them fails, or when they are not wanted any more."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from faust.types import TP

from app.errors import StateError
from stream_agents.batch_path.consumer_thread import Polled
from stream_agents.batch_path.cursors import Cursors
from stream_agents.batch_path.lease import LeaseLost
from stream_agents.batch_path.rounds import Assignment, Rounds

EVENTS = TP("events", 0)


class Bench:
    """Rounds whose deliveries end as a test says."""

    def __init__(self) -> None:
        self.cursors = Cursors()
        self.errors: dict[int, Exception] = {}  # by partition
        self.not_begun: dict[int, Exception] = {}  # by partition, once
        self.ended: list[BaseException] = []
        self.rewound: list[tuple[int, int]] = []
        self.prepared: list[int] = []
        self.void = False
        parts: Any = SimpleNamespace(
            hot=SimpleNamespace(source="events"),
            observer=SimpleNamespace(retrying=lambda _: None, batch_done=lambda *_, **__: None),
            on_failure=self.ended.append,
        )
        assignment = Assignment(lambda: {EVENTS, TP("events", 1)}, lambda _: self.void, self._rewind)
        self.rounds = Rounds(parts, cast("Any", self), cast("Any", self), self.cursors, assignment)

    async def _rewind(self, tp: TP, offset: int) -> None:
        self.rewound.append((tp.partition, offset))

    # as a Delivery

    def prepare(self, partition: int, records: list[Any], _ahead: object) -> Any:
        self.prepared.append(partition)
        next_offset = records[-1].offset + 1
        return SimpleNamespace(partition=partition, next_offset=next_offset, processed=SimpleNamespace(rows={}))

    async def deliver(self, batch: Any) -> None:
        if batch.partition in self.errors:
            raise self.errors[batch.partition]

    # as Upkeep

    async def begin(self, tp: TP) -> None:
        if tp.partition in self.not_begun:
            raise self.not_begun.pop(tp.partition)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    for partition in (0, 1):
        made.cursors.start(partition, 100)
    yield made


def polled(first_offset: int) -> Polled:
    return Polled({TP("events", partition): [SimpleNamespace(offset=first_offset)] for partition in (0, 1)}, epoch=0)


async def test_a_delivered_round_moves_the_cursors(bench: Bench) -> None:
    bench.rounds.start(await bench.rounds.prepare(polled(100)))
    await bench.rounds.delivered()
    assert [bench.cursors.get(partition) for partition in (0, 1)] == [101, 101]


async def test_what_was_worked_out_on_a_batch_that_failed_goes_back_with_it(bench: Bench) -> None:
    bench.errors[0] = LeaseLost("may pass")
    bench.rounds.start(await bench.rounds.prepare(polled(100)))
    ahead = await bench.rounds.prepare(polled(101))
    await bench.rounds.delivered()
    bench.errors.clear()
    bench.rounds.start(ahead)
    await bench.rounds.delivered()
    assert [bench.cursors.get(partition) for partition in (0, 1)] == [100, 102]
    assert bench.rewound == [(0, 100)]
    assert bench.ended == []


async def test_a_fatal_error_beside_a_passing_one_moves_no_cursor_of_either(bench: Bench) -> None:
    fatal = StateError("no")
    bench.errors = {0: fatal, 1: LeaseLost("may pass")}
    bench.rounds.start(await bench.rounds.prepare(polled(100)))
    ahead = await bench.rounds.prepare(polled(101))
    await bench.rounds.delivered()
    bench.errors.clear()
    bench.rounds.start(ahead)
    await bench.rounds.delivered()
    assert bench.ended == [fatal]
    assert [bench.cursors.get(partition) for partition in (0, 1)] == [100, 100]


async def test_a_partition_that_was_never_committed_goes_back_when_its_first_look_fails() -> None:
    bench = Bench()
    bench.not_begun[0] = TimeoutError()
    assert await bench.rounds.prepare(polled(500)) == []
    assert bench.rewound == [(0, 500), (1, 500)]
    assert len(await bench.rounds.prepare(polled(500))) == 2


async def test_what_was_polled_before_a_revocation_is_not_worked_out(bench: Bench) -> None:
    bench.void = True
    assert await bench.rounds.prepare(polled(100)) == []
    assert bench.prepared == []


async def test_what_is_given_back_is_fetched_again(bench: Bench) -> None:
    await bench.rounds.prepare(polled(100))
    await bench.rounds.give_back(polled(100))
    assert bench.rewound == [(0, 100), (1, 100)]
    assert not bench.cursors.holds(0, 101)
