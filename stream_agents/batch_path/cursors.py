"""Where each partition continues: the next source offset, in order and without holes. Pure.

The cursor moves only after a batch is safe, so it is also what may be committed. A fetched batch that is not
processed leaves the cursor behind the consumer's position: the next fetch then does not start at the cursor, and the
consumer is sent back once. If the records before are gone by then (retention, compaction), the log goes on after them.
"""

from enum import Enum, auto


class Admission(Enum):
    """What to do with a fetched batch."""

    PROCESS = auto()
    REWIND = auto()


class Cursors:
    """The cursors of the assigned partitions, and how far batches in hand reach beyond them."""

    def __init__(self) -> None:
        self._next: dict[int, int] = {}
        self._in_hand: dict[int, int] = {}
        self._rewound_to: dict[int, int] = {}

    def admit(self, partition: int, first_offset: int) -> Admission:
        """Whether a batch that starts here may be processed, or the consumer must go back to the cursor."""
        cursor = self._next.setdefault(partition, first_offset)
        expected = self._in_hand.get(partition, cursor)
        if first_offset == expected:
            self._rewound_to.pop(partition, None)
            return Admission.PROCESS
        if first_offset > expected and self._rewound_to.get(partition) == expected:
            if partition not in self._in_hand:
                self._next[partition] = first_offset
            return Admission.PROCESS
        self._rewound_to[partition] = expected
        return Admission.REWIND

    def expected(self, partition: int) -> int | None:
        """Where the next batch should start: behind what is in hand, or at the cursor."""
        return self._in_hand.get(partition, self._next.get(partition))

    def take(self, partition: int, next_offset: int) -> None:
        """A batch that ends before this offset is in hand."""
        self._in_hand[partition] = next_offset

    def holds(self, partition: int, next_offset: int) -> bool:
        """Whether the batch that ends there is still the newest one in hand: none before it has failed."""
        return self._in_hand.get(partition) == next_offset

    def put_back(self, partition: int) -> None:
        """What is in hand is void; the partition goes on at its cursor. What is polled before that is no gap."""
        self._in_hand.pop(partition, None)
        self._rewound_to.pop(partition, None)

    def start(self, partition: int, offset: int) -> None:
        """Begin at the group's committed offset, unless the partition is already under way."""
        self._next.setdefault(partition, offset)

    def move(self, partition: int, offset: int) -> None:
        """Somebody wants to go on elsewhere: what is in hand is void."""
        self._next[partition] = offset
        self.put_back(partition)

    def advance(self, partition: int, next_offset: int) -> None:
        """A batch is safe: continue here."""
        self._next[partition] = next_offset
        self._rewound_to.pop(partition, None)
        if self._in_hand.get(partition) == next_offset:
            del self._in_hand[partition]

    def get(self, partition: int) -> int | None:
        """The next offset; None before the first batch of a partition that was never committed."""
        return self._next.get(partition)

    def partitions(self) -> frozenset[int]:
        """The partitions that have a cursor."""
        return frozenset(self._next)

    def clear(self) -> None:
        """The partitions were revoked."""
        self._next.clear()
        self._in_hand.clear()
        self._rewound_to.clear()
