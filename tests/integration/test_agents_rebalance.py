"""Workers that come, go and die while events keep coming: every partition has one owner, and goes on where it was."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event as Flag
from threading import Thread

from kafka import KafkaProducer

from app.contracts.events import encode_event
from app.kafka.resolver import ResolvedKafka
from app.kafka.topics import Topics
from tests.support.agents import (
    AgentsProcess,
    Traffic,
    agents,
    assert_golden,
    last_rows,
    newest_rows,
    produce,
    read_topic,
)

STANDBY = {"RIVERRUN_AGENTS__STANDBY_REPLICAS": "1"}


@contextmanager
def flowing(servers: str, topics: Topics, traffic: Traffic) -> Iterator[None]:
    """About 1,000 events a second, as long as the block lasts."""
    ended = Flag()
    producer = KafkaProducer(bootstrap_servers=servers, linger_ms=5)

    def send() -> None:
        while not ended.wait(0.05):
            for event in traffic.events(50):
                producer.send(topics.events.name, encode_event(event), key=event.user_id.encode())

    thread = Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        producer.flush()
        producer.close()


def replayed(worker: AgentsProcess) -> float:
    return worker.metric('riverrun_events_total{outcome="replayed"')


def works(worker: AgentsProcess) -> None:
    """Wait until it has got partitions, and events from them."""
    worker.wait(lambda: worker.metric("riverrun_events_read_total") > 0, "it got no work")


def test_partitions_that_are_given_up_under_load_are_committed_first_so_that_nothing_is_done_twice(
    kafka: ResolvedKafka, topics: Topics, tmp_path: Path
) -> None:
    servers, folders = kafka.access.bootstrap_servers, [tmp_path / "stays", tmp_path / "comes"]
    with agents(servers, topics, folders[0]) as stays:
        stays.wait_ready()
        with flowing(servers, topics, Traffic(users=300)):
            for _ in range(2):
                with agents(servers, topics, folders[1]) as comes:
                    works(comes.wait_ready())
                    assert replayed(comes) == 0
                    assert comes.stop() == 0
        stays.wait_done()
        assert replayed(stays) == 0
        assert stays.metric("riverrun_changelog_holes_total") == 0
        assert stays.stop() == 0
    assert_golden(servers, topics, folders, users=300)


def test_generations_that_follow_one_another_under_load_lose_nothing(
    kafka: ResolvedKafka, topics: Topics, tmp_path: Path
) -> None:
    servers, folders = kafka.access.bootstrap_servers, [tmp_path / name for name in ("a", "b", "c", "d")]
    with agents(servers, topics, folders[0]) as stays:
        stays.wait_ready()
        with flowing(servers, topics, Traffic(users=300)):
            with agents(servers, topics, folders[1]) as second, agents(servers, topics, folders[2]) as third:
                works(second)
                with agents(servers, topics, folders[3]) as fourth:  # joins while the others are still being restored
                    third.kill()
                    works(fourth.wait_ready())
                    second.kill()
                    assert fourth.stop() == 0  # two leave at once, one of them without a word
            with agents(servers, topics, folders[1]) as second:
                works(second.wait_ready())
                assert second.stop() == 0
        stays.wait_done()
        assert stays.stop() == 0
    assert_golden(servers, topics, folders, users=300)


def test_a_standby_takes_over_without_restoring_what_it_already_has(
    kafka: ResolvedKafka, topics: Topics, tmp_path: Path
) -> None:
    servers, traffic, folders = kafka.access.bootstrap_servers, Traffic(users=500), [tmp_path / "a", tmp_path / "b"]
    with agents(servers, topics, folders[0], STANDBY) as owner, agents(servers, topics, folders[1], STANDBY) as heir:
        owner.wait_ready()
        works_beside(owner, heir, topics)
        produce(servers, topics, traffic.events(8_000))
        heir.wait_done()
        log = read_topic(servers, topics.interests_changelog.name)
        # Each follows what the other writes: every record is restored by one worker besides the one that wrote it.
        heir.wait(lambda: restored(owner) + restored(heir) >= len(log), "the standbys did not follow")
        before = restored(heir)
        assert before > 0
        owner.kill()
        produce(servers, topics, traffic.events(200))
        heir.wait(
            lambda: heir.metric("riverrun_assigned_partitions") == topics.events.partitions,
            "the heir did not take over",
        )
        heir.wait_done()
        assert restored(heir) - before < 50
        assert heir.stop() == 0
    assert_golden(servers, topics, folders, users=500)
    log = read_topic(servers, topics.interests_changelog.name)
    assert last_rows(log) == newest_rows(log)


def works_beside(owner: AgentsProcess, heir: AgentsProcess, topics: Topics) -> None:
    """Wait until both serve half of the partitions."""
    heir.wait(
        lambda: all(
            worker.metric("riverrun_assigned_partitions") == topics.events.partitions / 2 for worker in (owner, heir)
        ),
        "the work was not shared",
    )


def restored(worker: AgentsProcess) -> float:
    return worker.metric("riverrun_recovery_rows_total")


def test_two_workers_under_one_command_share_the_partitions_and_stop_in_order(
    kafka: ResolvedKafka, topics: Topics, tmp_path: Path
) -> None:
    traffic = Traffic(users=300)
    produce(kafka.access.bootstrap_servers, topics, traffic.events(5_000))
    with agents(kafka.access.bootstrap_servers, topics, tmp_path / "a", {"RIVERRUN_AGENTS__PROCESSES": "2"}) as command:
        command.wait_done()
        command.wait(lambda: len(set(re.findall(r"serving partitions ([\d, ]+)", command.log))) > 1, "one did all")
        produce(kafka.access.bootstrap_servers, topics, traffic.events(5_000))
        command.wait_done()
        assert command.stop() == 0
    assert_golden(kafka.access.bootstrap_servers, topics, [tmp_path / "a"], users=300)
