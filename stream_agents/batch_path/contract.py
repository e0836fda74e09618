"""What the batch path asks of its user and tells its observers. Knows nothing of Faust, Kafka clients or RocksDB.

A state table's row has one form everywhere: its bytes in the table are its bytes in the changelog and in every
topic that carries copies of the rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from app.interests.intake import SourceRecord
from app.kafka.outgoing import Outgoing

SummaryT = TypeVar("SummaryT")
SummaryT_contra = TypeVar("SummaryT_contra", contravariant=True)

ReadRows = Callable[[Sequence[bytes]], Sequence[bytes | None]]
"""The table's rows of these keys, in their order; None where there is none."""

RowVersion = Callable[[bytes], int]
"""The source offset inside a row: of two rows of one key, the higher one is the newer one."""


@dataclass(frozen=True, slots=True)
class ProcessedBatch(Generic[SummaryT]):
    """What a batch of source records comes to.

    Attributes:
        rows: every row the batch touched, also those it only read again after a crash; None deletes.
        first: records that must be in Kafka before the rows are, because the rows may erase what they came from.
        beside: records that go out together with the rows.
        summary: for the observer, told only when all of it is safe.
    """

    rows: Mapping[bytes, bytes | None]
    summary: SummaryT
    first: Sequence[Outgoing] = field(default_factory=tuple)
    beside: Sequence[Outgoing] = field(default_factory=tuple)


class Process(Protocol[SummaryT]):
    """Turns one partition's records, in log order, into what they come to. Pure; bad data must not raise."""

    def __call__(
        self, partition: int, records: Sequence[SourceRecord], read_rows: ReadRows, /
    ) -> ProcessedBatch[SummaryT]:
        """Process one batch."""
        ...


@dataclass(frozen=True, slots=True)
class HotTopic:
    """The topic that is served in batches, and where its rows go.

    Attributes:
        source: the topic's name.
        changelog: of the table; the same partition count as the source.
        row_copies: topics that get every row, too, on the partition of its source.
        row_version: see `RowVersion`.
    """

    source: str
    changelog: str
    row_copies: tuple[str, ...]
    row_version: RowVersion


@dataclass(frozen=True, slots=True)
class PathLimits:
    """The batch path's times and sizes.

    Attributes:
        fetch_max_wait_ms: how long the broker may hold back an empty answer; a long poll for idle partitions
            blocks busy ones, since aiokafka has one fetch in flight per broker.
        lease_s: how old the newest accepted heartbeat may be when something is written.
        max_batch_bytes: largest producer batch, and so the largest row.
        idle_check_s: how often the changelogs of idle partitions are looked at.
    """

    fetch_max_wait_ms: int
    lease_s: float
    max_batch_bytes: int
    idle_check_s: float = 3.0


class Observer(Protocol[SummaryT_contra]):
    """Told what the path does; called on the event loop, must not block or raise."""

    # ruff: noqa: D102  # the names say it
    def batch_done(self, partition: int, summary: SummaryT_contra, *, next_offset: int, seconds: float) -> None: ...
    def head_seen(self, partition: int, head: int) -> None: ...
    def serving(self, partitions: frozenset[int]) -> None: ...
    def not_serving(self) -> None: ...
    def positioned(self, partition: int, committed_offset: int) -> None: ...
    def assigned(self, partitions: frozenset[int]) -> None: ...
    def revoked(self) -> None: ...
    def all_well(self) -> None: ...
    def retrying(self, reason: str) -> None: ...
    def rows_restored(self, partition: int, rows: int) -> None: ...
    def changelog_healed(self, partition: int, rows: int) -> None: ...
    def committed(self, next_offsets: Mapping[int, int]) -> None: ...
