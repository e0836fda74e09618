"""One writer per changelog partition: its offsets are contiguous, and a hole means that somebody else wrote. Pure.

Whoever wrote into the hole (a worker that lost its partition while a request was under way, or this worker itself
when an acknowledgement got lost), the owner's rows must be the last word: rows that differ are asserted again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.kafka.outgoing import Appended


@dataclass(frozen=True, slots=True)
class Hole:
    """Offsets [start, stop) that this worker did not write."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class ForeignRow:
    """A changelog record in a hole."""

    key: bytes
    value: bytes | None


def holes(expected_offset: int, appended: Sequence[Appended]) -> list[Hole]:
    """The offsets between what was expected and what the broker says, in order."""
    found: list[Hole] = []
    for batch in appended:
        if batch.first_offset > expected_offset:
            found.append(Hole(expected_offset, batch.first_offset))
        expected_offset = max(expected_offset, batch.next_offset)
    return found


def rows_to_assert(
    foreign: Iterable[ForeignRow],
    own_rows: Mapping[bytes, bytes | None],
    read_rows: Callable[[Sequence[bytes]], Sequence[bytes | None]],
) -> dict[bytes, bytes | None]:
    """The owner's rows of those keys that somebody else wrote differently.

    Args:
        foreign: the records in the holes, in log order.
        own_rows: the rows of the batch under way, newer than the table's.
        read_rows: the table.
    """
    newest = {row.key: row.value for row in foreign}
    elsewhere = [key for key in newest if key not in own_rows]
    own = dict(zip(elsewhere, read_rows(elsewhere), strict=True)) | {
        key: own_rows[key] for key in newest if key in own_rows
    }
    return {key: own[key] for key, value in newest.items() if own[key] != value}
