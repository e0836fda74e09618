"""One record on its way to Kafka. Knows no Kafka client."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record to produce."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Appended:
    """A producer batch as the broker took it: its first offset and the number of its records."""

    first_offset: int
    records: int

    @property
    def next_offset(self) -> int:
        """The offset after its last record."""
        return self.first_offset + self.records
