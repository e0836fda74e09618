"""Which changelog records are written into a table that is being restored. Pure.

Normally the later record of a key is the newer one. A worker that wrote after it had lost its partition makes an
exception, so the row with the higher source offset stays. A deletion has no row to carry its source offset: it
travels in a record header.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from stream_agents.batch_path.contract import RowVersion

VERSION_HEADER: Final = "state-version"


class ChangelogRecord(Protocol):
    """A changelog record as aiokafka hands it over."""

    # ruff: noqa: D102  # the names are Kafka's
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


def deletion_headers(source_offset: int) -> tuple[tuple[str, bytes], ...]:
    """The headers of a deletion that this source offset caused."""
    return ((VERSION_HEADER, str(source_offset).encode()),)


def deletion_version(headers: Sequence[tuple[str, bytes]]) -> int | None:
    """The source offset in a deletion's headers; None when it has none, which makes it win where it stands."""
    for name, value in headers:
        if name == VERSION_HEADER and value.isdigit():
            return int(value)
    return None


class Restoration:
    """Decides, record by record, what a restored table holds; remembers deletions while it lasts.

    `overruled` are the keys whose last record in the changelog is not the row that stays. Compaction would keep
    exactly that record, so the owner has to assert those rows again. `newest_version` is the highest source
    offset.
    """

    def __init__(self, row_version: RowVersion) -> None:
        self._row_version = row_version
        self._deleted_at: dict[bytes, int] = {}
        self.overruled: set[bytes] = set()
        self.newest_version = -1

    def choose(
        self,
        records: Sequence[ChangelogRecord],
        read_rows: Callable[[Sequence[bytes]], Sequence[bytes | None]],
    ) -> Mapping[bytes, bytes | None]:
        """The rows to write (None: delete) for these records, in log order, on top of the table's."""
        newest: dict[bytes, bytes | None] = {}
        keys = list({record.key for record in records if record.key is not None})
        present = {key: row for key, row in zip(keys, read_rows(keys), strict=True) if row is not None}
        versions = {key: self._row_version(row) for key, row in present.items()}
        for record in records:
            key, value = record.key, record.value
            if key is None:
                continue
            known = versions.get(key, self._deleted_at.get(key, -1))
            version = deletion_version(record.headers) if value is None else self._row_version(value)
            if version is not None and version < known:
                self.overruled.add(key)
                continue
            self.overruled.discard(key)
            self.newest_version = max(self.newest_version, version or 0)
            newest[key] = value
            if value is None:
                versions.pop(key, None)
                self._deleted_at[key] = known if version is None else version
            else:
                versions[key] = version or 0
                self._deleted_at.pop(key, None)
        return newest
