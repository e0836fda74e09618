"""The table's rows as they go into the changelog and into every topic that carries copies of them."""

from collections.abc import Iterator, Mapping

from app.kafka.publisher import KeyValueHeaders, Publisher, RecordBatch
from stream_agents.batch_path.recovery import deletion_headers


class RowPublisher(Publisher):
    """A publisher that knows rows."""

    def build_rows(self, rows: Mapping[bytes, bytes | None], source_offset: int) -> list[RecordBatch]:
        """Rows as batches for any topic; a deletion carries `source_offset`.

        Raises:
            StateError: a row is larger than a batch.
        """
        return self.build(_records(rows, source_offset))


def _records(rows: Mapping[bytes, bytes | None], source_offset: int) -> Iterator[KeyValueHeaders]:
    none: list[tuple[str, bytes]] = []
    of_deletion = [*deletion_headers(source_offset)]
    for key, row in rows.items():
        yield key, row, of_deletion if row is None else none
