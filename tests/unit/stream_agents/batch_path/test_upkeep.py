"""The look at a partition between batches."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from faust.types import TP

from app.errors import StateError
from stream_agents.batch_path.contract import HotTopic
from stream_agents.batch_path.cursors import Cursors
from stream_agents.batch_path.upkeep import BEGIN_MAX_AGE_S, Upkeep

NOW_MS = 1_790_000_000_000
SOURCE, CHANGELOG = TP("events", 0), TP("changelog", 0)


@dataclass
class World:
    """The ends of the logs, and what was done about them."""

    ends: dict[TP, int]
    position: int | None = None
    restored: int = -1
    tells_topics: bool = True
    stale: set[bytes] = field(default_factory=set)
    done: list[object] = field(default_factory=list)
    cursors: Cursors = field(default_factory=Cursors)

    async def log_ends(self, *partitions: TP) -> Mapping[TP, int]:
        return {tp: self.ends[tp] for tp in partitions}

    def newest_version(self, _partition: int) -> int:
        return self.restored

    def overruled(self, _partition: int) -> set[bytes]:
        return self.stale

    def asserted(self, _partition: int) -> None:
        self.done.append("asserted")

    async def heal_idle(self, _partition: int, end: int, source_offset: int) -> None:
        self.done.append(("heal up to", end, source_offset))

    async def assert_again(self, _partition: int, keys: set[bytes], _source_offset: int) -> None:
        self.done.append(("assert", keys))

    def positioned(self, _partition: int, offset: int) -> None:
        self.done.append(("positioned", offset))

    def head_seen(self, _partition: int, head: int) -> None:
        self.done.append(("head", head))

    async def check_topics(self, max_age_s: float) -> None:
        if not self.tells_topics:
            raise TimeoutError
        self.done.append(("topics", max_age_s))

    def note_read_until(self, _partition: int, at_ms: int) -> None:
        self.done.append(("read until", at_ms))

    def upkeep(self) -> Upkeep:
        world = cast("Any", self)
        parts = type(
            "Parts", (),
            {
                "hot": HotTopic("events", "changelog", (), len), "observer": world,
                "check_topics": staticmethod(self.check_topics), "table": world,
                "now_ms": staticmethod(lambda: NOW_MS),
            },
        )  # fmt: skip
        return Upkeep(cast("Any", parts), world, world, self.cursors, self.log_ends, lambda _: self.position)


async def test_a_state_that_is_ahead_of_its_source_is_refused() -> None:
    world = World({SOURCE: 10}, restored=10)

    with pytest.raises(StateError, match="offset 10 of partition 0 of events, which ends at 10"):
        await world.upkeep().begin(SOURCE)
    world.restored = 9
    await world.upkeep().begin(SOURCE)


async def test_rows_that_recovery_passed_over_are_asserted_before_the_first_batch() -> None:
    world = World({SOURCE: 10}, stale={b"ada"})

    await world.upkeep().begin(SOURCE)

    assert world.done == [("head", 10), ("topics", BEGIN_MAX_AGE_S), ("assert", {b"ada"}), "asserted"]


async def test_a_partition_that_cannot_begin_has_a_lag_all_the_same() -> None:
    world = World({SOURCE: 10}, tells_topics=False)

    with pytest.raises(TimeoutError):
        await world.upkeep().begin(SOURCE)
    assert world.done == [("head", 10)]


async def test_the_head_is_told_and_the_changelog_is_looked_at() -> None:
    world = World({SOURCE: 10, CHANGELOG: 7}, position=5)
    world.cursors.start(0, 5)

    await world.upkeep().look(SOURCE)

    assert world.done == [("head", 10), ("heal up to", 7, 4), ("read until", NOW_MS)]


async def test_a_source_that_ends_before_the_cursor_is_another_one() -> None:
    world = World({SOURCE: 10, CHANGELOG: 7})
    world.cursors.start(0, 11)

    with pytest.raises(StateError, match="offset 10 of partition 0 of events, which ends at 10"):
        await world.upkeep().look(SOURCE)


async def test_a_tail_without_records_is_no_lag() -> None:
    world = World({SOURCE: 10, CHANGELOG: 7}, position=10)
    world.cursors.start(0, 9)

    await world.upkeep().look(SOURCE)

    assert world.done[:2] == [("positioned", 10), ("head", 10)]
