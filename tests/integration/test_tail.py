"""Reading a whole topic: what a shop's transaction took back is not there, and its markers do not hide the end."""

import asyncio

from aiokafka import AIOKafkaProducer

from app.kafka.local import LocalKafka
from app.kafka.resolver import ResolvedKafka
from app.kafka.tail import open_tail
from app.kafka.topic_admin import apply_topics
from app.kafka.topics import Topics, load_topics


async def test_a_tail_reads_what_was_committed_and_reaches_the_end(kafka: ResolvedKafka, topics: Topics) -> None:
    shop = AIOKafkaProducer(bootstrap_servers=kafka.access.bootstrap_servers, transactional_id=topics.catalog.name)
    await shop.start()
    for value, kept in ((b"kept", True), (b"taken back", False), (b"kept, too", True), (b"taken back at last", False)):
        await shop.begin_transaction()
        await shop.send_and_wait(topics.catalog.name, value, key=b"item")
        await (shop.commit_transaction() if kept else shop.abort_transaction())
    await shop.stop()

    values: list[bytes] = []
    async with open_tail(kafka.access, topics.catalog, request_timeout_ms=5_000, client_id="test") as tail:
        ends = await tail.end_offsets(tail.assignment())
        while any([await tail.position(partition) < end for partition, end in ends.items()]):
            for records in (await tail.getmany(timeout_ms=200)).values():
                values += [record.value for record in records]
    assert values == [b"kept", b"kept, too"]


async def test_a_tail_ends_while_the_broker_is_away(own_kafka: LocalKafka) -> None:
    topics = load_topics()
    apply_topics(own_kafka.access, topics)
    async with open_tail(own_kafka.access, topics.catalog, request_timeout_ms=5_000, client_id="test") as tail:
        await tail.getmany(timeout_ms=500)
        own_kafka.kill()
        await asyncio.sleep(1.0)  # until its fetches meet nobody
