"""What a served partition needs between batches: a look at the ends of its logs, every few seconds.

The head of the source tells the lag, and whether the topic is still the one that the state was made from. The end of
the changelog tells whether somebody else wrote into it while nothing happened here. And what recovery passed over must
be asserted again before compaction makes it permanent.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from faust.types import TP

from app.errors import StateError
from stream_agents.batch_path.cursors import Cursors
from stream_agents.batch_path.delivery import Delivery
from stream_agents.batch_path.parts import PathParts
from stream_agents.batch_path.restore import ChangelogRestorer
from stream_agents.state_folder import START_OVER

BEGIN_MAX_AGE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Looks after one partition at a time; the caller holds its lock.

    Attributes:
        log_ends: asks Kafka for the next offset of these partitions.
        position: the consumer's next offset in a source partition; None when it has none.
    """

    parts: PathParts
    delivery: Delivery[Any]
    restorer: ChangelogRestorer
    cursors: Cursors
    log_ends: Callable[..., Awaitable[Mapping[TP, int]]]
    position: Callable[[TP], int | None]

    async def begin(self, source: TP) -> None:
        """Before the first batch of a restored partition.

        Raises:
            StateError: the state has seen offsets that the source does not have, or the topics are other ones.
            LeaseLost, TimeoutError, aiokafka.errors.KafkaError: not now.
        """
        newest = self.restorer.newest_version(source.partition)
        head = (await self.log_ends(source))[source]
        if newest >= head:
            raise _ahead_of(source, newest, head)
        # Also where the rest cannot be done yet: a partition that waits has a lag that alerts can see.
        self.parts.observer.head_seen(source.partition, head)
        await self.parts.check_topics(BEGIN_MAX_AGE_S)
        await self._assert_overruled(source.partition)

    async def look(self, source: TP) -> None:
        """Between batches.

        Raises:
            StateError: the source ends before what was read from it.
            LeaseLost, aiokafka.errors.KafkaError: not now.
        """
        changelog = TP(self.parts.hot.changelog, source.partition)
        asked_ms = self.parts.now_ms()
        ends = await self.log_ends(source, changelog)
        newest = self._newest_source_offset(source.partition)
        if newest >= ends[source]:
            raise _ahead_of(source, newest, ends[source])
        self._tell_head(source, ends[source])
        await self.delivery.heal_idle(source.partition, ends[changelog], newest)
        self.parts.table.note_read_until(source.partition, asked_ms)

    async def _assert_overruled(self, partition: int) -> None:
        overruled = self.restorer.overruled(partition)
        if overruled:
            await self.delivery.assert_again(partition, overruled, self._newest_source_offset(partition))
        self.restorer.asserted(partition)

    def _tell_head(self, source: TP, head: int) -> None:
        observer, partition = self.parts.observer, source.partition
        position = self.position(source)
        if position is not None and position >= head and (self.cursors.get(partition) or 0) < head:
            # The consumer went past the rest, and no batch came of it: transaction markers, or expired records.
            observer.positioned(partition, head)
        observer.head_seen(partition, head)

    def _newest_source_offset(self, partition: int) -> int:
        return (self.cursors.get(partition) or 0) - 1


def _ahead_of(source: TP, newest: int, head: int) -> StateError:
    return StateError(
        f"The state has seen offset {newest} of partition {source.partition} of {source.topic}, which ends at {head}: "
        "the topic was deleted and made again.",
        hint=START_OVER,
    )
