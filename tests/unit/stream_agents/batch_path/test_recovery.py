"""Which changelog records a restored table holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stream_agents.batch_path.recovery import Restoration, deletion_headers, deletion_version


@dataclass(frozen=True)
class Record:
    """A changelog record; its row is its version in digits, then a mark."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = field(default_factory=tuple)


def version(row: bytes) -> int:
    return int(row.split(b" ")[0])


def deletion(key: bytes, source_offset: int) -> Record:
    return Record(key, None, deletion_headers(source_offset))


def restore(*batches: Sequence[Record], table: Mapping[bytes, bytes] | None = None) -> dict[bytes, bytes]:
    """Restore batch after batch into a table."""
    rows = dict(table or {})
    restoration = Restoration(version)
    for batch in batches:
        for key, row in restoration.choose(batch, lambda keys: [rows.get(each) for each in keys]).items():
            if row is None:
                rows.pop(key, None)
            else:
                rows[key] = row
    return rows


def test_of_two_rows_the_later_one_stays_when_it_is_not_older() -> None:
    assert restore([Record(b"k", b"1 a"), Record(b"k", b"2 b"), Record(b"k", b"2 c")]) == {b"k": b"2 c"}


def test_a_stale_row_behind_a_newer_one_is_passed_over_within_and_across_batches() -> None:
    newer, stale = Record(b"k", b"9 owner"), Record(b"k", b"3 zombie")

    assert restore([newer, stale]) == {b"k": b"9 owner"}
    assert restore([newer], [stale]) == {b"k": b"9 owner"}
    assert restore([stale], table={b"k": b"9 owner"}) == {b"k": b"9 owner"}


def test_a_deletion_removes_what_is_older_and_holds_against_stale_rows() -> None:
    assert restore([Record(b"k", b"3 a"), deletion(b"k", 5), Record(b"k", b"4 zombie")]) == {}
    assert restore([deletion(b"k", 5)], [Record(b"k", b"4 zombie")]) == {}


def test_a_user_who_comes_back_after_a_deletion_stays() -> None:
    assert restore([deletion(b"k", 5), Record(b"k", b"8 back"), deletion(b"k", 5)]) == {b"k": b"8 back"}


def test_a_deletion_without_a_version_wins_where_it_stands() -> None:
    assert restore([Record(b"k", b"3 a"), Record(b"k", None)]) == {}
    assert deletion_version([("other", b"1"), ("state-version", b"x")]) is None


def test_a_record_without_key_is_passed_over() -> None:
    assert restore([Record(None, b"1 a")]) == {}
