"""The model server as a process, and both ends of it through kafka-python: a second client checks the first."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from app.contracts.catalog import CatalogItem, encode_catalog_item
from app.contracts.recommendations import Recommendations, decode_recommendations
from app.interests.state import UserState, encode_state
from app.kafka.topics import Topics, TopicSpec

_REPOSITORY = Path(__file__).parents[2]
_COMMAND = (sys.executable, "-m", "app.cli.main", "score")
_WAIT_S = 60.0
_SESSION_TIMEOUT_MS = 3_000


class ModelServerProcess:
    """One model server and its log."""

    def __init__(self, bootstrap_servers: str, topics: Topics, models_dir: Path, log: Path, *options: str) -> None:
        prefix = topics.events.name.removesuffix("events")
        environment = os.environ | {
            "RIVERRUN_KAFKA__BOOTSTRAP_SERVERS": bootstrap_servers,
            "RIVERRUN_KAFKA__SESSION_TIMEOUT_MS": str(_SESSION_TIMEOUT_MS),
            "RIVERRUN_KAFKA__HEARTBEAT_INTERVAL_MS": str(_SESSION_TIMEOUT_MS // 6),
            "RIVERRUN_KAFKA__REQUEST_TIMEOUT_MS": str(int(_SESSION_TIMEOUT_MS * 0.4)),
            "RIVERRUN_SCORING__THREADS": "1",
        }
        self._log = log
        self._log_start = log.stat().st_size if log.exists() else 0
        with log.open("ab") as sink:
            self.process = subprocess.Popen(
                [*_COMMAND, "--topic-prefix", prefix, "--models-dir", str(models_dir), "--metrics-port", "0", *options],
                stdout=sink, stderr=sink, env=environment, cwd=_REPOSITORY,
            )  # fmt: skip

    @property
    def log(self) -> str:
        """What this process has said so far."""
        return self._log.read_bytes()[self._log_start :].decode()

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of one of its pages; (0, "") while nobody answers."""
        port = re.search(r"probes on port (\d+)", self.log)
        if port is None:
            return 0, ""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port[1]}{path}", timeout=2) as answer:  # our own process
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels; some of these can be given, as `name{label="value"`."""
        _, page = self.get("/metrics")
        wanted = name if "{" in name else (f"{name} ", f"{name}{{")
        return sum(float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.startswith(wanted))

    def wait_ready(self) -> "ModelServerProcess":
        """Wait until `/readyz` says so."""
        self.wait(lambda: self.get("/readyz")[0] == 200, "it was not ready")
        return self

    def wait(self, condition: Callable[[], bool], otherwise: str) -> None:
        """Wait for a condition while the process lives."""
        deadline = time.monotonic() + _WAIT_S
        while not condition():
            assert self.process.poll() is None, f"the model server ended with {self.process.returncode}:\n{self.log}"
            assert time.monotonic() < deadline, f"{otherwise} within {_WAIT_S} s:\n{self.log}"
            time.sleep(0.05)

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.process.kill()
        self.process.wait()


@contextmanager
def model_server(
    bootstrap_servers: str, topics: Topics, models_dir: Path, log: Path, *options: str
) -> Iterator[ModelServerProcess]:
    """A model server that ends with the block, whatever happens."""
    server = ModelServerProcess(bootstrap_servers, topics, models_dir, log, *options)
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
        self._consumer = _reader(bootstrap_servers, topics.recommendations)
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
    consumer = _reader(bootstrap_servers, topic)
    deadline = time.monotonic() + _WAIT_S
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


def _reader(bootstrap_servers: str, topic: TopicSpec) -> KafkaConsumer:
    consumer = KafkaConsumer(bootstrap_servers=bootstrap_servers, group_id=None, auto_offset_reset="earliest")
    consumer.assign(_partitions(topic))
    return consumer


def _partitions(topic: TopicSpec) -> list[TopicPartition]:
    return [TopicPartition(topic.name, partition) for partition in range(topic.partitions)]
