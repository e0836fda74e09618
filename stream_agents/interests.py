"""The agents' one business: a partition's events into its users' interests, as rows, follow-ups and dead letters.

Pure: what to read and where things go are arguments. Idempotent, because the fold is.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.contracts.dead_letters import encode_dead_letter
from app.contracts.events import Event
from app.errors import StateError
from app.interests.draft import Bounds
from app.interests.fold import Folded, UserEvents, fold
from app.interests.intake import IntakeLimits, Refusal, SourceRecord, by_user, dead_letter, take_in
from app.interests.shrink import encode_fitting, halved
from app.interests.state import UserState, decode_state, encode_state
from app.kafka.outgoing import Outgoing
from app.kafka.partitions import partition_of
from stream_agents.batch_path.contract import ProcessedBatch, ReadRows

MAX_DEAD_LETTER_KEY_BYTES: Final = 1_024


@dataclass(frozen=True, slots=True)
class Routes:
    """The topics that the agents write to, besides the rows' own, and their partition counts."""

    events: str
    events_partitions: int
    dead_letters: str
    dead_letters_partitions: int


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """What a batch came to, in numbers. Every record read is in exactly one of `outcomes` or `dead_letters`.

    Attributes:
        read: records of the batch.
        outcomes: valid events by what became of them: applied, replayed, duplicate, ignored, rerouted.
        late: applied events older than their user's newest one.
        dead_letters: records set aside, by reason.
        follow_ups: events sent to the events topic because of this batch.
        users_changed: users whose state was written (again).
        users_forgotten: users whose state was erased.
        users_trimmed: users whose state had to be cut to fit into a message.
        oldest_received_ts_ms: when Kafka had the batch's oldest record.
    """

    read: int
    outcomes: Mapping[str, int]
    late: int
    dead_letters: Mapping[str, int]
    follow_ups: int
    users_changed: int
    users_forgotten: int
    users_trimmed: int
    oldest_received_ts_ms: int

    @property
    def accepted(self) -> int:
        """Valid events, whatever became of them: `read` = `accepted` + dead letters."""
        return sum(self.outcomes.values())


@dataclass(frozen=True, slots=True)
class InterestsProcess:
    """The batch function of the events topic.

    Attributes:
        home: the partition of a user's key.
        max_row_bytes: largest state that fits into a message; a larger one loses its oldest items, as does a larger
            inheritance.
    """

    limits: IntakeLimits
    bounds: Bounds
    routes: Routes
    home: Callable[[bytes], int]
    max_row_bytes: int

    def __call__(
        self, partition: int, records: Sequence[SourceRecord], read_rows: ReadRows
    ) -> ProcessedBatch[BatchSummary]:
        """Process one partition's records, in log order.

        Raises:
            StateError: a row of the table was written by another version of riverrun.
        """
        refusals: list[Refusal] = []
        folded, records_of = Folded(), by_user(records)
        users = self._users(records_of, read_rows(list(records_of)), refusals.append)
        states = fold(users, self.bounds, folded, is_home=lambda key: self.home(key) == partition)
        rows, trimmed = encode_rows(states, self.max_row_bytes)
        return ProcessedBatch(
            rows=rows,
            first=[self._follow_up(event) for event in folded.follow_ups],
            beside=[self._dead_letter(refusal, partition) for refusal in refusals],
            summary=_summary(records, refusals, folded, rows, trimmed),
        )

    def _users(
        self,
        records_of: Mapping[bytes, Sequence[SourceRecord]],
        rows: Sequence[bytes | None],
        refuse: Callable[[Refusal], None],
    ) -> Iterator[UserEvents]:
        """Whoever has events among these records, and their state before.

        One by one: each user goes through all of the fold before the next one is looked at, while their few objects
        are in the processor's cache. Step by step over a whole batch took a third longer.
        """
        for (key, records), row in zip(records_of.items(), rows, strict=True):
            events = take_in(records, self.limits, refuse)
            if events:
                yield UserEvents(key, None if row is None else decode_state(row), events)

    def _follow_up(self, event: Event) -> Outgoing:
        key = event.user_id.encode()
        return Outgoing(self.routes.events, self.home(key), key, encode_fitting(event, self.max_row_bytes))

    def _dead_letter(self, refusal: Refusal, partition: int) -> Outgoing:
        key = refusal.record.key
        if key is not None and len(key) > MAX_DEAD_LETTER_KEY_BYTES:
            key = None  # its first characters are in the letter
        value = encode_dead_letter(dead_letter(refusal, self.routes.events, partition))
        return Outgoing(
            self.routes.dead_letters, partition_of(key or b"", self.routes.dead_letters_partitions), key, value
        )


def encode_rows(
    states: Iterable[tuple[bytes, UserState | None]], max_row_bytes: int
) -> tuple[dict[bytes, bytes | None], int]:
    """The states' rows by key, and how many had to be cut to fit."""
    rows: dict[bytes, bytes | None] = {}
    trimmed = 0
    for key, state in states:
        if state is None:
            rows[key] = None
            continue
        row = encode_state(state)
        if len(row) > max_row_bytes:
            row = _encode_trimmed(key, state, max_row_bytes)
            trimmed += 1
        rows[key] = row
    return rows, trimmed


def _encode_trimmed(key: bytes, state: UserState, max_row_bytes: int) -> bytes:
    while True:
        smaller = halved(state)
        if smaller is None:
            raise StateError(f"The state of user {key.decode()!r} does not fit into {max_row_bytes} bytes, even empty.")
        state = smaller
        row = encode_state(state)
        if len(row) <= max_row_bytes:
            return row


def row_version(row: bytes) -> int:
    """The `state_version` of an encoded state, without decoding the rest of it."""
    # Schema version byte, head of a short msgpack array, then the version as the array's first element.
    first = row[2]
    if first < 0x80:  # noqa: PLR2004  # msgpack: a small integer is its own byte
        return first
    size = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}.get(first)
    if size is None:
        return decode_state(row).state_version
    return int.from_bytes(row[3 : 3 + size])


def _summary(
    records: Sequence[SourceRecord],
    refusals: Sequence[Refusal],
    folded: Folded,
    rows: Mapping[bytes, bytes | None],
    trimmed: int,
) -> BatchSummary:
    forgotten = sum(row is None for row in rows.values())
    return BatchSummary(
        read=len(records),
        outcomes={
            "applied": folded.applied,
            "replayed": folded.replayed,
            "duplicate": folded.duplicates,
            "ignored": folded.ignored,
            "rerouted": folded.rerouted,
        },
        late=folded.late,
        dead_letters=Counter(refusal.reason.value for refusal in refusals),
        follow_ups=len(folded.follow_ups),
        users_changed=len(rows) - forgotten,
        users_forgotten=forgotten,
        users_trimmed=trimmed,
        oldest_received_ts_ms=records[0].timestamp,
    )
