"""Told to wait, told to go elsewhere, or held up by others: the worker loses nothing, and nobody waits for it."""

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.structs import OffsetAndMetadata

from app.contracts.events import Click, encode_event
from app.kafka.partitions import partition_of
from app.kafka.resolver import ResolvedKafka
from app.kafka.topics import Topics
from tests.support.agents import ASSIGNED, AgentsProcess, Traffic, agents, assert_golden, produce
from tests.support.process import SESSION_TIMEOUT_MS

SLOW_AGENT_S = 4.0  # over one record


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    """The folder in which the worker finds its orders."""
    folder = tmp_path / "orders"
    folder.mkdir()
    return folder


@pytest.fixture
def worker(kafka: ResolvedKafka, topics: Topics, tmp_path: Path, orders: Path) -> Iterator[AgentsProcess]:
    """A ready worker that takes orders."""
    with agents(kafka.access.bootstrap_servers, topics, tmp_path / "a", {"RIVERTEST_ORDERS": str(orders)}) as started:
        yield started.wait_ready()


def give(worker: AgentsProcess, order: Path) -> None:
    """Give an order, and wait until it was carried out."""
    order.touch()
    worker.wait(lambda: not order.exists(), f"the order {order.name} was not carried out")


def read(worker: AgentsProcess) -> float:
    return worker.metric("riverrun_events_read_total")


def stays(value: Callable[[], float], seconds: float) -> bool:
    """Whether nothing changes for so long."""
    before, deadline = value(), time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value() != before:
            return False
        time.sleep(0.1)
    return True


def test_a_stopped_flow_and_a_paused_partition_wait_and_then_go_on_where_they_were(
    kafka: ResolvedKafka, topics: Topics, tmp_path: Path, orders: Path, worker: AgentsProcess
) -> None:
    servers, traffic = kafka.access.bootstrap_servers, Traffic(users=200)
    sent = produce(servers, topics, traffic.events(2_000))
    worker.wait(lambda: read(worker) == sent, "not everything was read")

    give(worker, orders / "stop-flow")
    before, sent = sent, sent + produce(servers, topics, traffic.events(2_000))
    assert stays(lambda: read(worker), 1.5)
    assert read(worker) == before
    give(worker, orders / "resume-flow")
    worker.wait(lambda: read(worker) == sent, "the flow did not go on")

    give(worker, orders / "pause.2")
    events = list(traffic.events(2_000))
    held_up = sum(partition_of(event.user_id.encode(), topics.events.partitions) == 2 for event in events)
    sent += produce(servers, topics, events)
    worker.wait(lambda: read(worker) == sent - held_up, "the other partitions were held up")
    assert stays(lambda: read(worker), 1.0)
    assert held_up > 0
    give(worker, orders / "resume.2")
    worker.wait(lambda: read(worker) == sent, "the paused partition did not go on")

    worker.wait_done()
    assert worker.stop() == 0
    assert_golden(servers, topics, [tmp_path / "a"], users=200)


def test_what_was_worked_out_when_the_flow_stopped_is_not_lost_though_no_event_follows(
    kafka: ResolvedKafka, topics: Topics, tmp_path: Path, orders: Path
) -> None:
    servers, held = kafka.access.bootstrap_servers, tmp_path / "held"
    held.touch()
    environment = {
        "RIVERTEST_ORDERS": str(orders),
        "RIVERTEST_HELD": str(held),
        "RIVERRUN_AGENTS__FETCH_MAX_BYTES": "131072",  # several rounds, each a flood
    }
    sent = produce(servers, topics, Traffic(users=50).events(12_000))
    with agents(servers, topics, tmp_path / "a", environment) as worker:
        # Its first round is held on its way to Kafka; a second batch of a partition is of the round behind it.
        worker.wait(lambda: len(held.read_text().splitlines()) > topics.events.partitions, "no second round was begun")
        give(worker, orders / "stop-flow")
        assert read(worker) == 0
        held.unlink()
        worker.wait(lambda: read(worker) > 0, "the first round was not delivered")
        worker.wait(lambda: stays(lambda: read(worker), 2.0), "it went on though it was stopped")
        assert read(worker) < sent
        give(worker, orders / "resume-flow")
        worker.wait_done()
        assert read(worker) == sent
        assert worker.stop() == 0
    assert_golden(servers, topics, [tmp_path / "a"])


def test_a_seek_is_followed_and_what_comes_again_changes_nothing(
    kafka: ResolvedKafka, topics: Topics, tmp_path: Path, orders: Path, worker: AgentsProcess
) -> None:
    servers, traffic = kafka.access.bootstrap_servers, Traffic(users=200)
    expected = produce(servers, topics, traffic.events(4_000))
    worker.wait(lambda: read(worker) == expected, "not everything was read")
    again = end_of(servers, topics, partition=1) - 100
    assert again > 0

    give(worker, orders / "seek.1.100")
    expected += again
    worker.wait(lambda: read(worker) == expected, "what lies behind the new place was not read again")
    expected += produce(servers, topics, traffic.events(2_000))
    worker.wait_done()
    assert read(worker) == expected
    assert worker.metric('riverrun_events_total{outcome="replayed"') > 0
    assert worker.stop() == 0
    assert_golden(servers, topics, [tmp_path / "a"])


def test_offsets_that_an_operator_sets_back_replay_the_log_and_change_nothing(
    kafka: ResolvedKafka, topics: Topics, tmp_path: Path
) -> None:
    servers = kafka.access.bootstrap_servers
    sent = produce(servers, topics, Traffic(users=200).events(4_000))
    for round_ in range(2):
        with agents(servers, topics, tmp_path / "a") as worker:
            worker.wait_ready()
            worker.wait_done()
            assert read(worker) == sent
            assert (worker.metric('riverrun_events_total{outcome="applied"') > 0) == (round_ == 0)
            assert worker.stop() == 0
        assert_golden(servers, topics, [tmp_path / "a"], users=200)
        set_back(servers, topics)


# With few records Faust's own poll waits in the same thread; with many its buffer is full.
@pytest.mark.parametrize("backlog", [200, 10_000])
def test_a_lone_click_beside_a_slow_agent_is_answered_at_once(
    kafka: ResolvedKafka, topics: Topics, tmp_path: Path, backlog: int
) -> None:
    servers = kafka.access.bootstrap_servers
    producer = KafkaProducer(bootstrap_servers=servers)
    for number in range(backlog):
        producer.send(topics.catalog.name, b"anything", key=b"%d" % number)
    producer.flush()
    slow = {"RIVERTEST_SLOW_AGENT": f"{topics.catalog.name}:{SLOW_AGENT_S}"}
    with agents(servers, topics, tmp_path / "a", slow) as worker:
        worker.wait_ready()
        waits_s = sorted(lone_clicks(servers, topics, producer, clicks=10))
        producer.close()
        # Whoever waits for the slow agent waits for half of a record's time; a busy machine is far from that.
        assert statistics.median(waits_s) < SLOW_AGENT_S / 4, waits_s
        worker.kill()  # its backlog is not waited for


def test_a_kafka_slower_than_the_session_costs_time_and_neither_the_membership_nor_a_second_try(
    kafka: ResolvedKafka, topics: Topics, tmp_path: Path
) -> None:
    servers, traffic, slow_s = kafka.access.bootstrap_servers, Traffic(users=200), 1.2 * SESSION_TIMEOUT_MS / 1000
    produce(servers, topics, traffic.events(6_000))
    environment = {
        "RIVERTEST_SLOW_APPEND_S": str(slow_s),
        "RIVERRUN_AGENTS__FETCH_MAX_BYTES": "131072",  # two or three batches for each partition
    }
    with agents(servers, topics, tmp_path / "a", environment) as worker:
        worker.wait_ready()
        worker.wait(lambda: read(worker) > 0, "nothing was read")
        assert read(worker) < 6_000
        worker.wait_done()
        assert worker.metric("riverrun_batch_retries_total") == 0
        assert worker.metric('riverrun_events_total{outcome="replayed"') == 0
        assert worker.log.count(ASSIGNED) == 1
        assert worker.stop() == 0
    assert_golden(servers, topics, [tmp_path / "a"], users=200)


def lone_clicks(servers: str, topics: Topics, producer: KafkaProducer, clicks: int) -> Iterator[float]:
    """Seconds from sending a click to reading the score request that it caused, one after the other."""
    user = b"lonely"
    requests = KafkaConsumer(bootstrap_servers=servers, group_id=None, fetch_max_wait_ms=10)
    requests.assign([TopicPartition(topics.score_requests.name, partition_of(user, topics.score_requests.partitions))])
    requests.seek_to_end()
    for partition in requests.assignment():
        requests.position(partition)  # until now it was only an intention
    for number in range(clicks):
        time.sleep(0.4)
        now_ms = int(time.time() * 1000)
        click = Click(event_id=f"c{number}", user_id=user.decode(), ts_ms=now_ms, item_id=f"i{number}", surface="home")
        started = time.monotonic()
        producer.send(topics.events.name, encode_event(click), key=user)
        producer.flush()
        while not requests.poll(timeout_ms=5_000):
            assert time.monotonic() - started < 20, "the click was not answered"
        yield time.monotonic() - started
    requests.close()


def end_of(servers: str, topics: Topics, partition: int) -> int:
    """The next offset of a partition of events."""
    consumer = KafkaConsumer(bootstrap_servers=servers, group_id=None)
    where = TopicPartition(topics.events.name, partition)
    end = consumer.end_offsets([where])[where]
    consumer.close()
    return int(end)


def set_back(servers: str, topics: Topics) -> None:
    """Commit the beginning of events for the agents' group, as kafka-consumer-groups does."""
    admin = KafkaAdminClient(bootstrap_servers=servers)
    beginning = OffsetAndMetadata(0, "", -1)
    partitions = range(topics.events.partitions)
    admin.alter_group_offsets(
        topics.app_id, {TopicPartition(topics.events.name, number): beginning for number in partitions}
    )
    admin.close()
