"""How far a stream processor was at what moment, told by the times at which the broker took its output."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.errors import RiverrunError

_MS_PER_S = 1_000


@dataclass(slots=True)
class OutputSeen:
    """What an output topic says, filled by `see`; mutable.

    Attributes:
        covered: how many of its partition's events a record speaks for, from its place and its value.
        reached: per partition and broker time (ms): how many events were covered then.
        newest: each key's newest value.
        records: how many there were.
    """

    covered: Callable[[int, bytes], int]
    reached: dict[int, dict[int, int]] = field(default_factory=dict)
    newest: dict[bytes, bytes] = field(default_factory=dict)
    records: int = 0

    def see(self, partition: int, records: Sequence[Any]) -> None:
        """Take in a partition's next records, in log order."""
        reached = self.reached.setdefault(partition, {})
        for record in records:
            at_ms = record.timestamp
            reached[at_ms] = max(reached.get(at_ms, 0), self.covered(record.offset, record.value))
            self.newest[record.key] = record.value
        self.records += len(records)


@dataclass(frozen=True, slots=True)
class Pace:
    """Events between two moments of the broker's clock."""

    events: int
    start_ms: int
    end_ms: int

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.end_ms - self.start_ms) / _MS_PER_S

    @property
    def events_per_s(self) -> float:
        """The rate."""
        return self.events / self.seconds


def pace(seen: OutputSeen, warm_up: int) -> Pace:
    """The rate from the moment at which at least `warm_up` events were covered to the last output.

    Both ends are moments at which the broker took an output, so start-up, group membership and the first part of the
    log (in which a JVM compiles itself) do not count, nor does idling until a last checkpoint. Whoever writes its state
    at checkpoints has the same chance of one more or one less in between.

    Raises:
        RiverrunError: too little was covered, or too fast to be timed.
    """
    steps = sorted(
        (at_ms, partition, covered) for partition, reached in seen.reached.items() for at_ms, covered in reached.items()
    )
    per_partition: dict[int, int] = {}
    start_ms, start_events = None, 0
    for place, (at_ms, partition, covered) in enumerate(steps):
        per_partition[partition] = max(per_partition.get(partition, 0), covered)
        last_of_its_moment = place + 1 == len(steps) or steps[place + 1][0] > at_ms
        if start_ms is None and last_of_its_moment and sum(per_partition.values()) >= warm_up:
            start_ms, start_events = at_ms, sum(per_partition.values())
    events = sum(per_partition.values()) - start_events
    if start_ms is None or events <= 0:  # the last step is later than the start wherever events came after it
        raise RiverrunError(
            f"{sum(per_partition.values())} events were covered, {events} of them after the warm-up: too few to time.",
            hint="Ask for more events.",
        )
    return Pace(events, start_ms, steps[-1][0])
