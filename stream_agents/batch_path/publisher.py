"""The table's rows into its changelog and into every topic that carries copies of them."""

from collections.abc import Mapping

from app.kafka.outgoing import Appended, Outgoing
from app.kafka.publisher import Publisher
from stream_agents.batch_path.recovery import deletion_headers


class RowPublisher(Publisher):
    """A publisher that knows rows."""

    async def append_rows(
        self, topic: str, partition: int, rows: Mapping[bytes, bytes | None], source_offset: int
    ) -> list[Appended]:
        """Append rows; a deletion carries `source_offset`. Returns the batches as the broker took them.

        Raises:
            aiokafka.errors.KafkaError: they could not be written, or only a part of them.
            StateError: a row is larger than a batch.
        """
        headers = deletion_headers(source_offset)
        records = (Outgoing(topic, partition, key, row, headers if row is None else ()) for key, row in rows.items())
        return await self.append(topic, partition, records)
