"""Real stream agents under test: their process, traffic for them, and what the whole log should have come to."""

import json
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import rocksdict
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from app.contracts.events import AddToCart, Click, Event, Impression, Purchase, View, encode_event
from app.interests.draft import Bounds
from app.interests.intake import IntakeLimits, take_in
from app.interests.state import encode_state
from app.kafka.partitions import partition_of
from app.kafka.topics import Topics
from stream_agents.interests import row_version
from tests.support.folding import fold_whole
from tests.support.process import ServiceProcess

AGENTS = (sys.executable, "-m", "app.cli.main", "agents")
FAULTY_AGENTS = (sys.executable, "-m", "tests.support.agents_main")
LIMITS = IntakeLimits(max_event_bytes=65_536, max_future_ms=86_400_000)
OFFSET_KEY = b"__faust\0offset__"
ASSIGNED = "assigned partitions"  # what a worker logs at every assignment

Rows = dict[str, bytes]


@dataclass(frozen=True)
class LogRecord:
    """A record as it lies in a topic."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class AgentsProcess(ServiceProcess):
    """One `riverrun agents` process; with a `RIVERTEST_` variable, the one that breaks when it is told to."""

    def __init__(
        self,
        bootstrap_servers: str,
        topics: Topics,
        state_dir: Path,
        extra_environment: Mapping[str, str] | None = None,
    ) -> None:
        environment = extra_environment or {}
        state_dir.mkdir(parents=True, exist_ok=True)
        prefix = topics.events.name.removesuffix("events")
        command = FAULTY_AGENTS if any(name.startswith("RIVERTEST_") for name in environment) else AGENTS
        self._consumed = partial(committed_everything, bootstrap_servers, topics)
        super().__init__(
            [*command, "--topic-prefix", prefix, "--state-dir", str(state_dir), "--metrics-port", "0"],
            bootstrap_servers, state_dir.parent / f"{state_dir.name}.log", environment,
        )  # fmt: skip

    def wait_done(self) -> None:
        """Wait until the group has committed the ends of all partitions of events."""
        self.wait(self._consumed, "not everything was committed")

    def wake(self) -> None:
        """SIGCONT, and wait until it got partitions anew: what it had in hand was done or refused before that."""
        assignments = self.log.count(ASSIGNED)
        self.send(signal.SIGCONT)
        self.wait(
            lambda: self.log.count(ASSIGNED) > assignments and self.metric("riverrun_assigned_partitions") > 0,
            "the woken worker got no partitions",
        )


@contextmanager
def agents(
    bootstrap_servers: str, topics: Topics, state_dir: Path, extra_environment: Mapping[str, str] | None = None
) -> Iterator[AgentsProcess]:
    """A worker that is gone after the block, whatever happened to it."""
    worker = AgentsProcess(bootstrap_servers, topics, state_dir, extra_environment)
    try:
        yield worker
    finally:
        worker.kill()


class Traffic:
    """Seeded visitors: each one's events in time order, some impressions, some sent twice, at too many places."""

    def __init__(self, users: int, seed: int = 7) -> None:
        self._users = users
        self._rng = random.Random(seed)
        self._now_ms = int(time.time() * 1000) - 3_600_000
        self._sent = 0

    def events(self, count: int) -> Iterator[Event]:
        """The next events."""
        rng = self._rng
        for _ in range(count):
            self._now_ms += 1
            self._sent += 1
            kind = rng.choice((View, View, Click, AddToCart, Purchase, Impression))
            event = kind(
                event_id=f"e{self._sent}", user_id=f"user-{rng.randrange(self._users)}", ts_ms=self._now_ms,
                item_id=f"item-{rng.randrange(500)}", session_id="s", surface="home",
                place=f"place-{self._sent % 23}" if self._sent % 3 else None,
            )  # fmt: skip
            yield event
            if rng.random() < 0.02:
                yield event


def produce(bootstrap_servers: str, topics: Topics, events: Sequence[Event] | Iterator[Event]) -> int:
    """Send events as a site would; how many."""
    producer = KafkaProducer(bootstrap_servers=bootstrap_servers, linger_ms=5, batch_size=65_536)
    count = 0
    for event in events:
        producer.send(topics.events.name, encode_event(event), key=event.user_id.encode())
        count += 1
    producer.flush()
    producer.close()
    return count


def read_topic(bootstrap_servers: str, topic: str) -> list[LogRecord]:
    """Everything in a topic, in log order within each partition."""
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest", group_id=None,
        isolation_level="read_committed",
    )  # fmt: skip
    partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
    consumer.assign(partitions)
    consumer.seek_to_beginning()
    ends = consumer.end_offsets(partitions)
    records: list[LogRecord] = []
    while any(consumer.position(partition) < ends[partition] for partition in partitions):
        for batch in consumer.poll(timeout_ms=500).values():
            records += [
                LogRecord(each.topic, each.partition, each.offset, each.timestamp, each.key, each.value)
                for each in batch
            ]
    consumer.close()
    return sorted(records, key=lambda record: (record.partition, record.offset))


def golden_rows(log: Sequence[LogRecord], partitions: int) -> Rows:
    """What the whole events log comes to: one fold per partition, without any process in between."""
    rows: Rows = {}
    for partition in range(partitions):
        events = take_in((record for record in log if record.partition == partition), LIMITS, lambda _refusal: None)
        folded = fold_whole({}, events, Bounds(), is_home=_home(partition, partitions))
        rows |= {key.decode(): encode_state(state) for key, state in folded.states.items() if state is not None}
    return rows


def _home(partition: int, partitions: int) -> Callable[[bytes], bool]:
    return lambda key: partition_of(key, partitions) == partition


def last_rows(log: Sequence[LogRecord]) -> Rows:
    """The last row of each key, as compaction keeps it; deleted keys are not there."""
    newest = {record.key.decode(): record.value for record in log if record.key is not None}
    return {key: value for key, value in newest.items() if value is not None}


def newest_rows(log: Sequence[LogRecord]) -> Rows:
    """The row with the highest source offset of each key, as the consumers of score-requests choose it."""
    newest: Rows = {}
    for record in log:
        assert record.key is not None
        key = record.key.decode()
        if record.value is None:
            newest.pop(key, None)
        elif key not in newest or row_version(record.value) >= row_version(newest[key]):
            newest[key] = record.value
    return newest


def table_rows(state_dirs: Sequence[Path], partitions: int) -> Rows:
    """The state table as it lies on disk: each partition from the worker that had it last."""
    rows: Rows = {}
    for partition in range(partitions):
        tables = [_open_table(path) for folder in state_dirs for path in folder.rglob(f"interests-{partition}.db")]
        newest = max(tables, key=lambda table: int(table.get(OFFSET_KEY, b"-1")), default={})
        rows |= {key.decode(): row for key, row in newest.items() if b"\0" not in key}
    return rows


def _open_table(path: Path) -> Mapping[bytes, bytes]:
    database = rocksdict.Rdict(
        str(path), rocksdict.Options(raw_mode=True), access_type=rocksdict.AccessType.read_only()
    )
    rows: dict[bytes, bytes] = dict(database.items())  # type: ignore[arg-type]  # an iterator of pairs, typed as less
    database.close()
    return rows


def assert_golden(
    bootstrap_servers: str, topics: Topics, state_dirs: Sequence[Path], *, users: int | None = None
) -> Rows:
    """The table, the changelog and the newest score requests all equal the fold of the whole log."""
    partitions = topics.events.partitions
    golden = golden_rows(read_topic(bootstrap_servers, topics.events.name), partitions)
    if users is not None:
        assert len(golden) == users
    differences = {
        name: sorted(key for key in golden.keys() | rows.keys() if golden.get(key) != rows.get(key))
        for name, rows in {
            "table": table_rows(state_dirs, partitions),
            "changelog": last_rows(read_topic(bootstrap_servers, topics.interests_changelog.name)),
            "score requests": newest_rows(read_topic(bootstrap_servers, topics.score_requests.name)),
        }.items()
    }
    wrong = {name: (len(keys), keys[:5]) for name, keys in differences.items() if keys}
    assert not wrong, f"differs from the fold of the whole log of {len(golden)} users: {json.dumps(wrong)}"
    return golden


def committed_everything(bootstrap_servers: str, topics: Topics) -> bool:
    """Whether the group has committed the ends of all partitions of events."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap_servers, group_id=topics.app_id, enable_auto_commit=False)
    partitions = [TopicPartition(topics.events.name, number) for number in range(topics.events.partitions)]
    ends = consumer.end_offsets(partitions)
    done = all((consumer.committed(partition) or 0) == ends[partition] for partition in partitions)
    consumer.close()
    return done
