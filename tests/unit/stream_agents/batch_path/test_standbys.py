"""How far warm copies have been read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from faust.types import TP

from stream_agents.batch_path.standbys import Standbys
from stream_agents.batch_path.table import PartitionLost

FIRST, SECOND = TP("changelog", 0), TP("changelog", 1)


@dataclass
class World:
    """A table, the ends of its changelogs, and what was noted in it."""

    ends: dict[TP, int]
    offsets: dict[int, int]
    now: int = 1_000
    noted: dict[int, int] = field(default_factory=dict)

    async def log_ends(self, *partitions: TP) -> Mapping[TP, int]:
        return {tp: self.ends[tp] for tp in partitions}

    def changelog_offset(self, partition: int) -> int:
        if partition not in self.offsets:
            raise PartitionLost
        return self.offsets[partition]

    def note_read_until(self, partition: int, at_ms: int) -> None:
        self.noted[partition] = at_ms

    def standbys(self) -> Standbys:
        return Standbys(cast("Any", self), self.log_ends, lambda: self.now)


async def test_a_copy_holds_what_there_was_when_its_end_was_asked_for() -> None:
    world = World({FIRST: 10, SECOND: 10}, {0: 5, 1: 5})
    standbys = world.standbys()
    await standbys.look({FIRST, SECOND})
    assert world.noted == {}

    world.now, world.ends, world.offsets = 2_000, {FIRST: 20, SECOND: 20}, {0: 9, 1: 8}
    await standbys.look({FIRST, SECOND})
    assert world.noted == {0: 1_000}

    world.now, world.offsets = 3_000, {0: 18, 1: 9}
    await standbys.look({FIRST, SECOND})
    assert world.noted == {0: 1_000, 1: 1_000}

    world.offsets = {0: 19, 1: 9}
    await standbys.look({FIRST, SECOND})
    assert world.noted == {0: 2_000, 1: 1_000}


async def test_a_copy_that_was_given_back_has_no_goal_when_it_comes_again() -> None:
    world = World({FIRST: 10}, {0: 5})
    standbys = world.standbys()
    await standbys.look({FIRST})
    await standbys.look(set())
    world.now, world.ends, world.offsets = 9_000, {FIRST: 30}, {0: 20}

    await standbys.look({FIRST})
    await standbys.look({FIRST})
    assert world.noted == {}


async def test_a_copy_that_is_not_open_is_left_alone() -> None:
    world = World({FIRST: 10}, {})
    standbys = world.standbys()
    for _ in range(3):
        await standbys.look({FIRST})
    assert world.noted == {}
