"""The order of one batch, from a partition's records to a safe place in Kafka and RocksDB.

1. The batch is processed in memory, on rows read in one multi-get, while the batch before may be at step 2 to 5.
2. What must come first (`ProcessedBatch.first`) is produced and acknowledged.
3. Rows go to the changelog and to the topics that copy them, everything else beside them; all acknowledged.
4. If the changelog's offsets have a hole, somebody else wrote: membership is asked for, the hole is read, and
   differing rows are asserted again, until the owner's rows are the last word.
5. One RocksDB write holds the rows and the changelog offset. RocksDB is never ahead of the changelog.
6. The caller moves the cursor; Faust commits it.

A crash between any two steps is repaired by doing the batch again: `Process` is idempotent and returns every row it
touched, also the unchanged ones. The lease is checked before 2, before 3 and before 5.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic

from app.errors import StateError
from app.interests.intake import SourceRecord
from app.kafka.outgoing import Appended
from app.kafka.publisher import RecordBatch, gather_all
from stream_agents.batch_path.changelog import Hole, holes, rows_to_assert
from stream_agents.batch_path.changelog_reader import ChangelogReader
from stream_agents.batch_path.contract import HotTopic, Process, ProcessedBatch, SummaryT
from stream_agents.batch_path.lease import Lease, LeaseLost
from stream_agents.batch_path.publisher import RowPublisher
from stream_agents.batch_path.table import BatchTable

MAX_ASSERTIONS = 10


@dataclass(frozen=True, slots=True, eq=False)
class PreparedBatch(Generic[SummaryT]):
    """A batch that is worked out and not sent yet.

    Attributes:
        batches: its rows, as they go to Kafka.
        source_offset: of its last record.
    """

    partition: int
    processed: ProcessedBatch[SummaryT]
    batches: Sequence[RecordBatch]
    source_offset: int

    @property
    def next_offset(self) -> int:
        """Where the source goes on."""
        return self.source_offset + 1


@dataclass(frozen=True, slots=True)
class Delivery(Generic[SummaryT]):
    """Everything that carries one batch.

    Attributes:
        still_member: asks the group's coordinator, now.
        on_healed: told the partition and the number of rows that were asserted again.
    """

    hot: HotTopic
    process: Process[SummaryT]
    table: BatchTable
    publisher: RowPublisher
    reader: ChangelogReader
    lease: Lease
    still_member: Callable[[], Awaitable[bool]]
    on_healed: Callable[[int, int], None]

    def prepare(
        self, partition: int, records: Sequence[SourceRecord], ahead: Mapping[bytes, bytes | None]
    ) -> PreparedBatch[SummaryT]:
        """Step 1, in memory.

        Args:
            partition: of the records.
            records: in log order, at least one.
            ahead: rows of the batch before, which may not be in the table yet.

        Raises:
            StateError: a row can neither be read nor written.
            LeaseLost: the partition of the table was closed.
        """
        processed = self.process(partition, records, partial(self._read, partition, ahead))
        source_offset = records[-1].offset
        batches = self.publisher.build_rows(processed.rows, source_offset)
        return PreparedBatch(partition, processed, batches, source_offset)

    async def deliver(self, batch: PreparedBatch[SummaryT]) -> SummaryT:
        """Steps 2 to 5.

        Raises:
            LeaseLost: the partition may belong to another worker; nothing more was written.
            aiokafka.errors.KafkaError: something could not be produced.
        """
        partition, processed = batch.partition, batch.processed
        if processed.first:
            self.lease.check("the follow-ups were produced")
            await self.publisher.publish(processed.first)
        self.lease.check("the rows were produced")
        beside = self.publisher.publish(processed.beside)
        if not processed.rows:
            await beside
            return processed.summary
        appended, _ = await gather_all([self._append(partition, batch.batches), beside])
        changelog_offset = await self._settle(partition, processed.rows, appended, batch.source_offset)
        self.lease.check("the rows were written to RocksDB")
        self.table.write(partition, processed.rows, changelog_offset)
        return processed.summary

    def _read(
        self, partition: int, ahead: Mapping[bytes, bytes | None], keys: Sequence[bytes]
    ) -> Sequence[bytes | None]:
        if not ahead:
            return self.table.read(partition, keys)
        behind = [key for key in keys if key not in ahead]
        rows = {**ahead, **dict(zip(behind, self.table.read(partition, behind), strict=True))}
        return [rows[key] for key in keys]

    async def heal_idle(self, partition: int, end_offset: int, source_offset: int) -> None:
        """Assert the owner's rows if somebody wrote to the changelog of a partition that has no batch under way."""
        nothing_appended = [Appended(end_offset, 0)]
        if not holes(self.table.changelog_offset(partition) + 1, nothing_appended):
            return
        changelog_offset = await self._settle(partition, {}, nothing_appended, source_offset)
        self.lease.check("the changelog offset was written to RocksDB")
        self.table.write(partition, {}, changelog_offset)

    async def assert_again(self, partition: int, keys: Collection[bytes], source_offset: int) -> None:
        """Make the table's rows of these keys the last word in the changelog."""
        rows = dict(zip(keys, self.table.read(partition, list(keys)), strict=True))
        self.on_healed(partition, len(rows))
        self.lease.check("rows were asserted again")
        appended = await self._append(partition, self.publisher.build_rows(rows, source_offset))
        changelog_offset = await self._settle(partition, rows, appended, source_offset)
        self.lease.check("the changelog offset was written to RocksDB")
        self.table.write(partition, {}, changelog_offset)

    async def _append(self, partition: int, batches: Sequence[RecordBatch]) -> list[Appended]:
        appended, *_ = await gather_all(
            self.publisher.send(topic, partition, batches) for topic in (self.hot.changelog, *self.hot.row_copies)
        )
        first: list[Appended] = appended
        return first

    async def _settle(
        self, partition: int, rows: Mapping[bytes, bytes | None], appended: list[Appended], source_offset: int
    ) -> int:
        """Heal the holes before and between these batches; the changelog offset that then contains everything."""
        expected = self.table.changelog_offset(partition) + 1
        for _ in range(MAX_ASSERTIONS):
            if appended[0].first_offset < expected:
                raise _rewound(self.hot.changelog, partition, appended[0].first_offset, expected)
            found = holes(expected, appended)
            expected = max(expected, appended[-1].next_offset)
            if not found:
                return expected - 1
            again = await self._foreign_rows(partition, found, rows)
            self.on_healed(partition, len(again))
            if not again:
                return expected - 1
            self.lease.check("rows were asserted again")
            appended = await self._append(partition, self.publisher.build_rows(again, source_offset))
        raise LeaseLost(f"another worker keeps writing to partition {partition} of {self.hot.changelog}")

    async def _foreign_rows(
        self, partition: int, found: Sequence[Hole], rows: Mapping[bytes, bytes | None]
    ) -> dict[bytes, bytes | None]:
        if not await self.still_member():
            raise LeaseLost("the coordinator says that this worker is no member of the group any more")
        foreign = [row for hole in found for row in await self.reader.read(self.hot.changelog, partition, hole)]
        return rows_to_assert(foreign, rows, partial(self.table.read, partition))


def _rewound(changelog: str, partition: int, got: int, expected: int) -> StateError:
    return StateError(
        f"Partition {partition} of {changelog} fell from offset {expected} to {got}: it was made anew.",
        hint="Stop all agents, remove their state folders and start them again.",
    )
