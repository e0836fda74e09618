"""Changelog records into the hot table, on a table that keeps its rows in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from faust.types import TP

from stream_agents.batch_path.contract import HotTopic
from stream_agents.batch_path.restore import ChangelogRestorer
from stream_agents.batch_path.table import PartitionLost

CHANGELOG, OTHER = TP("changelog", 0), TP("leader", 0)


@dataclass(frozen=True)
class Record:
    offset: int
    key: bytes
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass
class World:
    """A table, Faust's books and an observer."""

    rows: dict[bytes, bytes] = field(default_factory=dict)
    contained: int = -1
    lost: bool = False
    counted: int = 0
    active_tps: set[TP] = field(default_factory=lambda: {CHANGELOG})
    standby_tps: set[TP] = field(default_factory=set)
    active_offsets: dict[TP, int | None] = field(default_factory=lambda: {CHANGELOG: None})
    standby_offsets: dict[TP, int | None] = field(default_factory=dict)

    def changelog_offset(self, _partition: int) -> int:
        if self.lost:
            raise PartitionLost("closed")
        return self.contained

    def read(self, _partition: int, keys: Sequence[bytes]) -> list[bytes | None]:
        return [self.rows.get(key) for key in keys]

    def write(self, _partition: int, rows: Mapping[bytes, bytes | None], offset: int) -> None:
        self.rows |= {key: row for key, row in rows.items() if row is not None}
        self.contained = offset

    def rows_restored(self, _partition: int, rows: int) -> None:
        self.counted += rows

    def restorer(self) -> ChangelogRestorer:
        world = cast("Any", self)
        parts = type("Parts", (), {"hot": HotTopic("events", "changelog", (), int), "table": world, "observer": world})
        return ChangelogRestorer(cast("Any", parts))


def test_all_records_are_written_at_once_and_faust_gets_the_last_one_as_seen() -> None:
    world = World()
    records, other = [Record(3, b"a", b"1"), Record(5, b"b", b"2")], [Record(0, b"x", b"y")]

    left = world.restorer().restore({CHANGELOG: records, OTHER: other}, world, restored=False)

    assert left == {CHANGELOG: [records[-1]], OTHER: other}
    assert (world.rows, world.contained, world.counted) == ({b"a": b"1", b"b": b"2"}, 5, 2)
    assert world.active_offsets == {CHANGELOG: 5}


def test_records_that_the_table_contains_are_passed_over() -> None:
    world = World(rows={b"a": b"9"}, contained=4)

    world.restorer().restore({CHANGELOG: [Record(3, b"a", b"1"), Record(5, b"b", b"2")]}, world, restored=False)

    assert world.rows == {b"a": b"9", b"b": b"2"}
    assert world.counted == 1


def test_a_restored_partition_is_left_to_its_writer_but_a_standby_goes_on() -> None:
    world = World()
    assert world.restorer().restore({CHANGELOG: [Record(3, b"a", b"1")]}, world, restored=True) == {}
    assert world.contained == -1

    world.active_tps, world.standby_tps = set(), {CHANGELOG}
    world.restorer().restore({CHANGELOG: [Record(3, b"a", b"1")]}, world, restored=True)
    assert (world.contained, world.standby_offsets) == (3, {CHANGELOG: 3})


def test_a_closed_or_revoked_partition_takes_nothing() -> None:
    world = World(lost=True)
    assert world.restorer().restore({CHANGELOG: [Record(3, b"a", b"1")]}, world, restored=False) == {}
    world.active_tps = set()
    assert world.restorer().restore({CHANGELOG: [Record(3, b"a", b"1")]}, world, restored=False) == {}


def test_what_was_overruled_is_remembered_until_it_is_asserted() -> None:
    world = World()
    restorer = world.restorer()
    restorer.restore({CHANGELOG: [Record(3, b"a", b"7"), Record(4, b"a", b"2")]}, world, restored=False)

    assert world.rows == {b"a": b"7"}
    assert (restorer.overruled(0), restorer.newest_version(0)) == ({b"a"}, 7)
    restorer.asserted(0)
    assert (restorer.overruled(0), restorer.newest_version(0)) == (set(), -1)
