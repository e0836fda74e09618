"""Warm copies of partitions that other workers serve: how far they have been read.

A copy is behind its owner by a few records at any moment, so its end is asked for, and some seconds later it is seen
whether the copy has got there: then it holds all that there was when the question was asked.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass

from faust.types import TP

from stream_agents.batch_path.table import BatchTable, PartitionLost


@dataclass(frozen=True, slots=True)
class _Goal:
    """The changelog's next offset, and when it was asked for (ms since 1970)."""

    end: int
    asked_ms: int


class Standbys:
    """Notes in the copies until when they have been read.

    Args:
        table: the copies.
        log_ends: asks Kafka for the next offset of these changelog partitions.
        now_ms: the time, ms since 1970.
    """

    def __init__(
        self, table: BatchTable, log_ends: Callable[..., Awaitable[Mapping[TP, int]]], now_ms: Callable[[], int]
    ) -> None:
        self._table, self._log_ends, self._now_ms = table, log_ends, now_ms
        self._goals: dict[TP, _Goal] = {}

    async def look(self, changelogs: Collection[TP]) -> None:
        """See how far the copies of these changelog partitions are; every few seconds.

        Raises:
            aiokafka.errors.KafkaError: not now.
        """
        self._goals = {tp: goal for tp, goal in self._goals.items() if tp in changelogs and not self._reached(tp, goal)}
        new = [tp for tp in changelogs if tp not in self._goals]
        if new:
            asked_ms = self._now_ms()
            self._goals |= {tp: _Goal(end, asked_ms) for tp, end in (await self._log_ends(*new)).items()}

    def _reached(self, tp: TP, goal: _Goal) -> bool:
        try:
            reached = self._table.changelog_offset(tp.partition) + 1 >= goal.end
            if reached:
                self._table.note_read_until(tp.partition, goal.asked_ms)
        except PartitionLost:  # given back, or not open yet: another goal when it is
            return True
        return reached
