"""What Kafka itself does to the logs: compaction, retention, transactions, topics that are deleted and made again."""

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from kafka import KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from app.contracts.events import Event, encode_event
from app.kafka.access import KafkaAccess
from app.kafka.local import LocalKafka
from app.kafka.resolver import ResolvedKafka
from app.kafka.topic_admin import apply_topics
from app.kafka.topics import Topics, load_topics
from tests.support.agents import (
    LogRecord,
    Traffic,
    agents,
    assert_golden,
    golden_rows,
    last_rows,
    produce,
    read_topic,
    table_rows,
)
from tests.support.kafka import unique_prefix

COMPACTED_AT_ONCE = {
    "cleanup.policy": "compact",
    "segment.ms": "300",  # the segment that is written to is never compacted
    "min.cleanable.dirty.ratio": "0.01",
    "delete.retention.ms": "100",
}


@contextmanager
def administered(servers: str) -> Iterator[KafkaAdminClient]:
    admin = KafkaAdminClient(bootstrap_servers=servers)
    try:
        yield admin
    finally:
        admin.close()


def configure(servers: str, topic: str, settings: Mapping[str, str]) -> None:
    with administered(servers) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, dict(settings))])


def eager_cleaner(servers: str) -> None:
    """Let the broker look for what it can compact five times a second instead of every 15 s."""
    with administered(servers) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.BROKER, "1", {"log.cleaner.backoff.ms": "200"})])


def has_gaps(servers: str, topic: str) -> bool:
    """Whether records in the middle of the log are gone."""
    log = read_topic(servers, topic)
    return any(one.partition == other.partition and other.offset > one.offset + 1 for one, other in pairwise(log))


def lost_its_place(servers: str, topic: str, cursors: Mapping[int, int]) -> bool:
    """Whether the record at a cursor is gone while others lie behind it."""
    left = {(record.partition, record.offset) for record in read_topic(servers, topic)}
    return any(
        where not in left and any(partition == where[0] and offset > where[1] for partition, offset in left)
        for where in cursors.items()
    )


def test_a_changelog_that_is_compacted_under_load_restores_the_table(own_kafka: LocalKafka, tmp_path: Path) -> None:
    servers, topics, traffic = (
        own_kafka.bootstrap_servers,
        load_topics().with_prefix(unique_prefix()),
        Traffic(users=50),
    )
    apply_topics(KafkaAccess(servers), topics)
    eager_cleaner(servers)
    configure(servers, topics.interests_changelog.name, COMPACTED_AT_ONCE)
    with agents(servers, topics, tmp_path / "a") as worker:
        worker.wait_ready()

        def compacted_while_written() -> bool:
            produce(servers, topics, traffic.events(200))
            return has_gaps(servers, topics.interests_changelog.name)

        worker.wait(compacted_while_written, "the changelog was not compacted", timeout_s=30)
        assert worker.metric("riverrun_changelog_holes_total") == 0
        produce(servers, topics, traffic.events(2_000))
        worker.kill()
    shutil.rmtree(tmp_path / "a")
    with agents(servers, topics, tmp_path / "a") as worker:
        worker.wait_ready()
        worker.wait_done()
        assert worker.metric("riverrun_changelog_holes_total") == 0
        assert worker.stop() == 0
    assert_golden(servers, topics, [tmp_path / "a"], users=50)


def test_gaps_that_compaction_leaves_in_the_events_are_stepped_over(own_kafka: LocalKafka, tmp_path: Path) -> None:
    servers, topics, traffic = (
        own_kafka.bootstrap_servers,
        load_topics().with_prefix(unique_prefix()),
        Traffic(users=50),
    )
    apply_topics(KafkaAccess(servers), topics)
    eager_cleaner(servers)
    with agents(servers, topics, tmp_path / "a") as worker:  # it has a cursor when the gaps come
        worker.wait_ready()
        produce(servers, topics, traffic.events(500))
        worker.wait_done()
        assert worker.stop() == 0
    consumed = read_topic(servers, topics.events.name)
    configure(servers, topics.events.name, COMPACTED_AT_ONCE)
    deadline = time.monotonic() + 30
    cursors = {record.partition: record.offset + 1 for record in consumed}  # the last one of each partition stays
    while not lost_its_place(servers, topics.events.name, cursors):
        assert time.monotonic() < deadline, "the events were not compacted"
        produce(servers, topics, traffic.events(200))
        time.sleep(0.3)
    configure(servers, topics.events.name, {"cleanup.policy": "delete"})
    with agents(servers, topics, tmp_path / "a") as worker:
        worker.wait_ready()
        produce(servers, topics, traffic.events(500))
        worker.wait_done()
        left = [record for record in read_topic(servers, topics.events.name) if not was_in(consumed, record)]
        assert worker.metric("riverrun_events_read_total") == len(left)
        assert worker.stop() == 0
    assert_states(servers, topics, tmp_path / "a", [*consumed, *left])


def test_events_that_expired_before_they_were_read_are_stepped_over(
    kafka: ResolvedKafka, topics: Topics, tmp_path: Path
) -> None:
    servers, traffic = kafka.access.bootstrap_servers, Traffic(users=50)
    with agents(servers, topics, tmp_path / "a") as worker:
        worker.wait_ready()
        produce(servers, topics, traffic.events(500))
        worker.wait_done()
        assert worker.stop() == 0
    consumed = read_topic(servers, topics.events.name)
    produce(servers, topics, traffic.events(1_000))
    with administered(servers) as admin:
        partitions = range(topics.events.partitions)
        admin.delete_records({TopicPartition(topics.events.name, number): 200 for number in partitions})
    left = [record for record in read_topic(servers, topics.events.name) if not was_in(consumed, record)]
    assert left[0].offset == 200
    with agents(servers, topics, tmp_path / "a") as worker:
        worker.wait_ready()
        worker.wait_done()
        assert worker.metric("riverrun_events_read_total") == len(left)
        assert worker.stop() == 0
    assert_states(servers, topics, tmp_path / "a", [*consumed, *left])


def test_transactions_leave_markers_and_what_was_taken_back_never_happened(
    kafka: ResolvedKafka, topics: Topics, tmp_path: Path
) -> None:
    servers, traffic = kafka.access.bootstrap_servers, Traffic(users=50)
    with agents(servers, topics, tmp_path / "a") as worker:
        worker.wait_ready()
        with KafkaProducer(bootstrap_servers=servers, transactional_id=topics.app_id) as shop:
            shop.init_transactions()
            kept = 0
            for number in range(6):
                events = list(traffic.events(200))
                in_transaction(shop, topics, events, keep=number % 2 == 0)
                kept += len(events) if number % 2 == 0 else 0
        worker.wait(lambda: worker.metric("riverrun_events_read_total") >= kept, "not everything was read")
        worker.wait(lambda: worker.metric("riverrun_lag_events") == 0, "it waits for markers")
        assert worker.metric("riverrun_events_read_total") == kept
        assert worker.stop() == 0
    assert_golden(servers, topics, [tmp_path / "a"], users=50)


def in_transaction(shop: KafkaProducer, topics: Topics, events: Sequence[Event], *, keep: bool) -> None:
    shop.begin_transaction()
    for event in events:
        shop.send(topics.events.name, encode_event(event), key=event.user_id.encode())
    shop.flush()
    if keep:
        shop.commit_transaction()
    else:
        shop.abort_transaction()


def test_an_events_topic_that_is_made_anew_under_a_running_worker_ends_it_with_the_reason(
    kafka: ResolvedKafka, topics: Topics, tmp_path: Path
) -> None:
    servers, traffic = kafka.access.bootstrap_servers, Traffic(users=50)
    with agents(servers, topics, tmp_path / "a") as worker:
        worker.wait_ready()
        produce(servers, topics, traffic.events(1_000))
        worker.wait_done()
        with administered(servers) as admin:
            admin.delete_topics([topics.events.name])
        make_again(servers, topics, {topics.events.name})
        assert worker.ended() in {3, 4}  # it looked before the topic was there again, or after
        assert "Traceback" not in worker.log
    with agents(servers, topics, tmp_path / "a") as worker:
        assert worker.ended() == 4
        assert f"{topics.events.name} was deleted and made again" in worker.log

    # As docs/operations.md says, "Events made anew".
    worked_out = {topics.interests_changelog.name, topics.score_requests.name, topics.recommendations.name}
    produce(servers, topics, traffic.events(500))
    with administered(servers) as admin:
        admin.delete_topics(list(worked_out))
    shutil.rmtree(tmp_path / "a")
    make_again(servers, topics, worked_out)
    with agents(servers, topics, tmp_path / "a") as worker:
        worker.wait_ready()
        worker.wait_done()
        produce(servers, topics, traffic.events(500))
        worker.wait_done()
        assert worker.stop() == 0
    assert assert_golden(servers, topics, [tmp_path / "a"])


def make_again(servers: str, topics: Topics, names: set[str]) -> None:
    """Kafka takes a moment to forget a topic."""
    deadline, made = time.monotonic() + 20, set[str]()
    while not names <= made:
        made.update(apply_topics(KafkaAccess(servers), topics).created)
        assert time.monotonic() < deadline
        time.sleep(0.1)


def was_in(log: Sequence[LogRecord], record: LogRecord) -> bool:
    return any(one.partition == record.partition and one.offset == record.offset for one in log)


def assert_states(servers: str, topics: Topics, state_dir: Path, log: Sequence[LogRecord]) -> None:
    """Table and changelog equal the fold of these records, wherever they are by now."""
    golden = golden_rows(sorted(log, key=lambda record: (record.partition, record.offset)), topics.events.partitions)
    assert table_rows([state_dir], topics.events.partitions) == golden
    assert last_rows(read_topic(servers, topics.interests_changelog.name)) == golden
