"""The model server as a process, and both ends of it through kafka-python: a second client checks the first."""

import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from app.contracts.catalog import CatalogItem, encode_catalog_item
from app.contracts.recommendations import Recommendations, decode_recommendations
from app.interests.state import UserState, encode_state
from app.kafka.topics import Topics, TopicSpec
from tests.support.process import WAIT_S, ServiceProcess

_NEWCOMERS = "RIVERRUN_SCORING__NEWCOMERS_EVERY_S"  # 0 unless a test says otherwise: others count requests
_COMMAND = (sys.executable, "-m", "app.cli.main", "score")


class ModelServerProcess(ServiceProcess):
    """One `riverrun score` process."""

    def __init__(
        self, bootstrap_servers: str, topics: Topics, models_dir: Path, log: Path, *options: str,
        environment: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        prefix = topics.events.name.removesuffix("events")
        super().__init__(
            [*_COMMAND, "--topic-prefix", prefix, "--models-dir", str(models_dir), "--metrics-port", "0", *options],
            bootstrap_servers,
            log,
            {"RIVERRUN_SCORING__THREADS": "1", _NEWCOMERS: os.environ.get(_NEWCOMERS, "0"), **(environment or {})},
        )  # fmt: skip


@contextmanager
def model_server(
    bootstrap_servers: str,
    topics: Topics,
    models_dir: Path,
    log: Path,
    *options: str,
    environment: Mapping[str, str] | None = None,
) -> Iterator[ModelServerProcess]:
    """A model server that ends with the block, whatever happens."""
    server = ModelServerProcess(bootstrap_servers, topics, models_dir, log, *options, environment=environment)
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def writing(bootstrap_servers: str) -> Iterator[KafkaProducer]:
    """A producer; everything is acknowledged at the end of the block."""
    producer = KafkaProducer(bootstrap_servers=bootstrap_servers, acks="all", linger_ms=5)
    try:
        yield producer
        producer.flush(30)
    finally:
        producer.close(5)


def request_scores(bootstrap_servers: str, topics: Topics, states: Iterable[tuple[str, UserState | None]]) -> None:
    """Write score requests as the agents do."""
    with writing(bootstrap_servers) as producer:
        for user_id, state in states:
            value = None if state is None else encode_state(state)
            producer.send(topics.score_requests.name, key=user_id.encode(), value=value)


def offer(bootstrap_servers: str, topics: Topics, titles: Mapping[str, str | None]) -> None:
    """Write catalog messages; a title of None delists."""
    with writing(bootstrap_servers) as producer:
        for item_id, title in titles.items():
            value = None if title is None else encode_catalog_item(CatalogItem(item_id=item_id, title=title))
            producer.send(topics.catalog.name, key=item_id.encode(), value=value)


class PublishedLists:
    """Reads `recommendations` as a frontend must: the higher state version wins, a null value forgets."""

    def __init__(self, bootstrap_servers: str, topics: Topics) -> None:
        self._consumer = reader(bootstrap_servers, topics.recommendations)
        self.newest: dict[str, Recommendations | None] = {}
        self.messages = 0

    def read(self) -> "PublishedLists":
        """Take in what has come."""
        for records in self._consumer.poll(timeout_ms=100).values():
            for record in records:
                self.messages += 1
                user_id = record.key.decode()
                value = None if record.value is None else decode_recommendations(record.value)
                before = self.newest.get(user_id)
                if value is None or before is None or value.state_version >= before.state_version:
                    self.newest[user_id] = value
        return self

    def home(self, user_id: str) -> list[str]:
        """The user's newest list of the surface `home`."""
        newest = self.newest.get(user_id)
        return [] if newest is None else [item.item_id for item in newest.lists["home"]]

    def version(self, user_id: str) -> int:
        """The state version of the user's newest lists; -1 where there are none."""
        newest = self.newest.get(user_id)
        return -1 if newest is None else newest.state_version

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()


def read_all(bootstrap_servers: str, topic: TopicSpec, wanted: int) -> list[bytes]:
    """The values of a topic, once there are that many."""
    consumer = reader(bootstrap_servers, topic)
    deadline = time.monotonic() + WAIT_S
    values: list[bytes] = []
    try:
        while len(values) < wanted:
            assert time.monotonic() < deadline, f"{len(values)} of {wanted} records in {topic.name}"
            values += [record.value for records in consumer.poll(timeout_ms=200).values() for record in records]
    finally:
        consumer.close()
    return values


def uncommitted(bootstrap_servers: str, topics: Topics) -> int:
    """Score requests that the group has not committed."""
    group = topics.events.name.removesuffix("events") + "riverrun-model-server"
    consumer = KafkaConsumer(bootstrap_servers=bootstrap_servers, group_id=group, enable_auto_commit=False)
    try:
        partitions = _partitions(topics.score_requests)
        ends = consumer.end_offsets(partitions)
        return sum(ends[partition] - (consumer.committed(partition) or 0) for partition in partitions)
    finally:
        consumer.close()


def reader(bootstrap_servers: str, topic: TopicSpec) -> KafkaConsumer:
    """A consumer of the whole topic, from its beginning."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap_servers, group_id=None, auto_offset_reset="earliest")
    consumer.assign(_partitions(topic))
    return consumer


def _partitions(topic: TopicSpec) -> list[TopicPartition]:
    return [TopicPartition(topic.name, partition) for partition in range(topic.partitions)]
