"""Records into Kafka in whole batches, acknowledged by every in-sync replica."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError

from app.errors import KafkaUnreachable, StateError
from stream_agents.batch_path.changelog import Appended
from stream_agents.batch_path.contract import Outgoing
from stream_agents.batch_path.recovery import deletion_headers

RECORD_OVERHEAD_BYTES = 512  # batch header, record header, lengths, our own header: rounded up generously

_Headers = list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class _Record:
    key: bytes | None
    value: bytes | None
    headers: _Headers


class Publisher:
    """A producer that hands over whole batches."""

    def __init__(self, producer: AIOKafkaProducer, max_batch_bytes: int) -> None:
        self._producer = producer
        self._max_bytes = max_batch_bytes

    async def append_rows(
        self, topic: str, partition: int, rows: Mapping[bytes, bytes | None], source_offset: int
    ) -> list[Appended]:
        """Append rows; a deletion carries `source_offset`. Returns the batches as the broker took them.

        Raises:
            aiokafka.errors.KafkaError: they could not be written, or only a part of them.
            StateError: a row is larger than a batch.
        """
        headers = deletion_headers(source_offset)
        records = (_Record(key, row, headers if row is None else []) for key, row in rows.items())
        return await self._append(topic, partition, records)

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Append records wherever they go.

        Raises:
            aiokafka.errors.KafkaError: not all of them could be written.
        """
        by_partition: dict[tuple[str, int], list[_Record]] = defaultdict(list)
        for message in messages:
            by_partition[message.topic, message.partition].append(_Record(message.key, message.value, []))
        await gather_all(
            self._append(topic, partition, records) for (topic, partition), records in by_partition.items()
        )

    async def stop(self) -> None:
        """Close the connections."""
        await self._producer.stop()

    async def _append(self, topic: str, partition: int, records: Iterable[_Record]) -> list[Appended]:
        acknowledgements = []
        for batch in self._batches(topic, records):
            count = batch.record_count()
            acknowledgements.append((count, await self._producer.send_batch(batch, topic, partition=partition)))
        taken = await gather_all(acknowledgement for _, acknowledgement in acknowledgements)
        return [Appended(metadata.offset, count) for (count, _), metadata in zip(acknowledgements, taken, strict=True)]

    def _batches(self, topic: str, records: Iterable[_Record]) -> Iterator[Any]:
        batch = self._producer.create_batch()
        for record in records:
            size = len(record.key or b"") + len(record.value or b"") + RECORD_OVERHEAD_BYTES
            if size > self._max_bytes:
                raise StateError(f"A record of {size} bytes for {topic} is larger than a batch of {self._max_bytes}.")
            while batch.append(timestamp=None, key=record.key, value=record.value, headers=record.headers) is None:
                yield batch
                batch = self._producer.create_batch()
        if batch.record_count():
            yield batch


async def gather_all(work: Iterable[Any]) -> list[Any]:
    """Wait for all of it, then raise the first error: nothing goes on unseen behind an early exception."""
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


async def start_publisher(bootstrap_servers: str, *, request_timeout_ms: int, max_batch_bytes: int) -> Publisher:
    """Connect.

    Raises:
        KafkaUnreachable: no broker answers.
    """
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers,
        client_id="riverrun-agents-batch-path",
        acks="all",
        max_batch_size=max_batch_bytes,
        max_request_size=4 * max_batch_bytes,
        request_timeout_ms=request_timeout_ms,
    )
    try:
        await producer.start()
    except KafkaConnectionError as error:
        await producer.stop()
        raise KafkaUnreachable(
            f"No Kafka broker answers at {bootstrap_servers}.",
            hint="Start it, or set RIVERRUN_KAFKA__BOOTSTRAP_SERVERS.",
        ) from error
    return Publisher(producer, max_batch_bytes)
