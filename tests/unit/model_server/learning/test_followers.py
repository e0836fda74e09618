"""Where a learner goes on in a topic that is not what it was."""

from dataclasses import dataclass, field
from typing import cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import OffsetAndTimestamp

from model_server.learning.followers import go_on
from model_server.learning.manifest import Manifest, Segment
from tests.support.learning import NOW_MS

FIRST, SECOND = TopicPartition("events", 0), TopicPartition("events", 1)


@dataclass
class Partitions:
    """What a consumer says of two partitions with a hundred records each; the n-th came n ms after `began_ms`."""

    began_ms: int
    sought: dict[TopicPartition, int] = field(default_factory=dict)

    def assignment(self) -> set[TopicPartition]:
        return {FIRST, SECOND}

    async def end_offsets(self, partitions: set[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 100)

    async def offsets_for_times(
        self, times_ms: dict[TopicPartition, int]
    ) -> dict[TopicPartition, OffsetAndTimestamp | None]:
        later = {partition: max(0, time_ms - self.began_ms) for partition, time_ms in times_ms.items()}
        return {
            partition: OffsetAndTimestamp(offset, self.began_ms + offset) if offset < 100 else None
            for partition, offset in later.items()
        }

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.sought[partition] = offset


async def sought(began_ms: int) -> dict[TopicPartition, int]:
    """Where it goes on with everything until `NOW_MS` stored: 120 records of the first partition, 7 of the second."""
    segment = Segment(file="0", rows=127, first=0, last=126, newest_ts_ms=NOW_MS, size_bytes=1)
    partitions = Partitions(began_ms)
    await go_on(cast(AIOKafkaConsumer, partitions), Manifest(offsets={0: 120, 1: 7}, segments=(segment,)))
    return partitions.sought


async def test_a_partition_that_lost_its_end_is_not_read_again() -> None:
    assert await sought(NOW_MS - 110) == {FIRST: 100, SECOND: 7}
    assert await sought(NOW_MS - 90) == {FIRST: 91, SECOND: 7}


async def test_a_partition_that_was_made_anew_is_read_from_its_beginning() -> None:
    assert await sought(NOW_MS + 60_000) == {FIRST: 0, SECOND: 7}
