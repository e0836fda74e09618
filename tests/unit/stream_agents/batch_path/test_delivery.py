"""The order of one batch, on parts that keep their records in memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from app.errors import StateError
from app.kafka.outgoing import Appended, Outgoing
from stream_agents.batch_path.changelog import ForeignRow, Hole
from stream_agents.batch_path.contract import HotTopic, ProcessedBatch, ReadRows
from stream_agents.batch_path.delivery import Delivery
from stream_agents.batch_path.lease import Lease, LeaseLost
from tests.support.events import Record

Rows = Sequence[tuple[bytes, bytes | None]]

CHANGELOG, COPIES = "changelog", "score-requests"
RECORDS = [Record(b"x", offset=7), Record(b"x", offset=8)]


@dataclass
class World:
    """Kafka and RocksDB as far as one partition's delivery sees them."""

    log: list[tuple[bytes, bytes | None]] = field(default_factory=list)
    rows: dict[bytes, bytes] = field(default_factory=dict)
    contained: int = -1
    steps: list[str] = field(default_factory=list)
    now_s: float = 0.0
    member: bool = True
    before_append: Callable[[], None] = lambda: None

    def read(self, _partition: int, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self.rows.get(key) for key in keys]

    def changelog_offset(self, _partition: int) -> int:
        return self.contained

    def write(self, _partition: int, rows: Mapping[bytes, bytes | None], changelog_offset: int) -> None:
        self.steps.append("write")
        self.rows |= {key: row for key, row in rows.items() if row is not None}
        self.contained = changelog_offset

    def build_rows(self, rows: Mapping[bytes, bytes | None], _source_offset: int) -> Rows:
        return list(rows.items())

    async def send(self, topic: str, _partition: int, rows: Rows) -> list[Appended]:
        self.steps.append(f"rows to {topic}")
        if topic != CHANGELOG:
            return []
        self.before_append()
        first = len(self.log)
        self.log += rows
        return [Appended(first, len(rows))]

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        self.steps += [f"to {message.topic}" for message in messages]

    async def hole(self, _topic: str, _partition: int, hole: Hole) -> list[ForeignRow]:
        return [ForeignRow(key, row) for key, row in self.log[hole.start : hole.stop]]

    async def still_member(self) -> bool:
        self.steps.append("ask the coordinator")
        return self.member

    def delivery(self, batch: ProcessedBatch[str]) -> Delivery[str]:
        lease = Lease(6.0, lambda: self.now_s)
        lease.renew(0.0)
        reader = cast("Any", type("Reader", (), {"read": staticmethod(self.hole)}))
        world = cast("Any", self)
        hot = HotTopic("events", CHANGELOG, (COPIES,), len)
        return Delivery(
            hot, lambda *_: batch, world, world, reader, lease, self.still_member, lambda *_: None
        )  # fmt: skip


def batch(**rows: bytes) -> ProcessedBatch[str]:
    return ProcessedBatch(
        {key.encode(): row for key, row in rows.items()}, "summary",
        first=[Outgoing("events", 1, b"k", b"follow-up")], beside=[Outgoing("dead-letters", 0, None, b"dead")],
    )  # fmt: skip


async def deliver(world: World, processed: ProcessedBatch[str]) -> str:
    delivery = world.delivery(processed)
    return await delivery.deliver(delivery.prepare(0, RECORDS, {}))


async def test_follow_ups_come_before_the_rows_and_rocksdb_last() -> None:
    world = World()

    assert await deliver(world, batch(ada=b"1")) == "summary"

    assert world.steps[0] == "to events"
    assert world.steps[-1] == "write"
    assert set(world.steps[1:-1]) == {"rows to changelog", "rows to score-requests", "to dead-letters"}
    assert (world.rows, world.contained) == ({b"ada": b"1"}, 0)


async def test_a_batch_without_rows_touches_neither_changelog_nor_rocksdb() -> None:
    world = World()

    await deliver(world, ProcessedBatch({}, "", beside=[Outgoing("dead-letters", 0, None, b"dead")]))

    assert world.steps == ["to dead-letters"]


async def test_without_the_lease_nothing_is_produced() -> None:
    world = World(now_s=6.1)

    with pytest.raises(LeaseLost):
        await deliver(world, batch(ada=b"1"))
    assert world.steps == []


async def test_a_lease_that_runs_out_while_producing_keeps_rocksdb_untouched() -> None:
    world = World()
    world.before_append = lambda: setattr(world, "now_s", 6.1)

    with pytest.raises(LeaseLost):
        await deliver(world, batch(ada=b"1"))
    assert world.rows == {}


async def test_foreign_rows_are_overwritten_before_rocksdb_moves() -> None:
    world = World(rows={b"bob": b"ours"}, log=[(b"bob", b"theirs"), (b"ada", b"theirs")])

    await deliver(world, batch(ada=b"1"))

    assert dict(world.log) == {b"bob": b"ours", b"ada": b"1"}
    assert world.contained == len(world.log) - 1
    assert world.steps.count("rows to score-requests") == 2


async def test_who_is_no_member_any_more_drops_the_batch() -> None:
    world = World(member=False, log=[(b"bob", b"theirs")])

    with pytest.raises(LeaseLost, match="no member"):
        await deliver(world, batch(ada=b"1"))
    assert "write" not in world.steps


async def test_a_stranger_who_does_not_stop_writing_ends_in_a_dropped_batch() -> None:
    world = World(rows={b"bob": b"ours"})
    world.before_append = lambda: world.log.append((b"bob", b"theirs"))

    with pytest.raises(LeaseLost, match="keeps writing"):
        await deliver(world, batch(ada=b"1"))


async def test_a_changelog_that_was_made_anew_is_an_error_that_says_so() -> None:
    world = World(contained=100)

    with pytest.raises(StateError, match="made anew"):
        await deliver(world, batch(ada=b"1"))


async def test_an_idle_partition_is_healed_and_rows_that_were_overruled_are_asserted() -> None:
    world = World(rows={b"bob": b"ours", b"eve": b"ours"}, log=[(b"bob", b"theirs")])
    delivery = world.delivery(batch())

    await delivery.heal_idle(0, 1, source_offset=8)
    assert dict(world.log) == {b"bob": b"ours"}
    assert world.contained == 1

    steps = len(world.steps)
    await delivery.heal_idle(0, 2, source_offset=8)
    assert len(world.steps) == steps  # nothing was there to heal

    await delivery.assert_again(0, [b"eve"], source_offset=8)
    assert world.log[-1] == (b"eve", b"ours")
    assert world.contained == 2


def test_rows_of_the_batch_before_are_read_although_they_are_not_in_the_table_yet() -> None:
    world = World(rows={b"ada": b"old", b"bob": b"written", b"eve": b"deleted ahead"})
    seen: list[Sequence[bytes | None]] = []

    def process(_partition: int, _records: object, read_rows: ReadRows) -> ProcessedBatch[str]:
        seen.append(read_rows([b"ada", b"bob", b"eve", b"new"]))
        return ProcessedBatch({}, "")

    replace(world.delivery(batch()), process=process).prepare(0, RECORDS, {b"ada": b"ahead", b"eve": None})

    assert seen == [[b"ahead", b"written", None, None]]
