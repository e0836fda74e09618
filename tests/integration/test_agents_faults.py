"""Faults between the steps of one batch, and strangers in the changelog, against a real Kafka."""

import shutil
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from kafka import KafkaProducer

from app.contracts.events import Forget
from app.kafka.partitions import partition_of
from app.kafka.resolver import ResolvedKafka
from app.kafka.topics import Topics
from tests.support.agents import (
    Traffic,
    agents,
    assert_golden,
    last_rows,
    newest_rows,
    produce,
    read_topic,
)


def fault(tmp_path: Path, point: str, number: signal.Signals) -> dict[str, str]:
    """A fault that strikes once, from now on."""
    return {"RIVERTEST_FAULT": f"{point}:{number.name}:{armed(tmp_path)}"}


def armed(tmp_path: Path) -> Path:
    file = tmp_path / "armed"
    file.touch()
    return file


def test_a_crash_between_any_two_steps_is_repaired_by_doing_the_batch_again(
    kafka: ResolvedKafka, topics: Topics, tmp_path: Path
) -> None:
    # So many users that some have no event after the crash: only doing the batch again can complete theirs.
    traffic, servers = Traffic(users=2_000), kafka.access.bootstrap_servers
    for point in ("appending", "appended", "restored", "written"):
        produce(servers, topics, traffic.events(3_000))
        with agents(servers, topics, tmp_path / "a", fault(tmp_path, point, signal.SIGKILL)) as worker:
            assert worker.ended() == -signal.SIGKILL
        if point == "appended":
            shutil.rmtree(tmp_path / "a")
    with agents(servers, topics, tmp_path / "a") as worker:
        worker.wait_ready().wait_done()
        assert worker.stop() == 0
    assert_golden(servers, topics, [tmp_path / "a"])


@pytest.mark.parametrize("point", ["processed", "appending", "appended"])
def test_a_worker_stopped_with_a_batch_in_hand_and_woken_after_the_takeover_spoils_nothing(
    kafka: ResolvedKafka, topics: Topics, tmp_path: Path, point: str
) -> None:
    traffic, servers = Traffic(users=2_000), kafka.access.bootstrap_servers
    with agents(servers, topics, tmp_path / "zombie", fault(tmp_path, point, signal.SIGSTOP)) as zombie:
        (tmp_path / "armed").unlink()
        zombie.wait_ready()
        produce(servers, topics, traffic.events(2_000))
        zombie.wait_done()
        armed(tmp_path)
        produce(servers, topics, traffic.events(2_000))
        zombie.wait(lambda: not (tmp_path / "armed").exists(), "it was not stopped")
        with agents(servers, topics, tmp_path / "heir") as heir:
            heir.wait_ready()
            produce(servers, topics, traffic.events(5_000))
            heir.wait_done()
            zombie.wake()
            # Few events after it: whatever it spoiled is not overwritten by chance.
            produce(servers, topics, traffic.events(20))
            heir.wait_done()
            heir.wait(lambda: the_last_word_is_the_newest(servers, topics), "stale rows are the last ones")
            if point != "appending":  # past its last check it may write, and is put right; before, it may not at all
                assert zombie.metric("riverrun_changelog_holes_total") == 0
                assert heir.metric("riverrun_changelog_holes_total") == 0
            assert zombie.stop() == 0
            assert heir.stop() == 0
    assert_golden(servers, topics, [tmp_path / "zombie", tmp_path / "heir"])


def the_last_word_is_the_newest(servers: str, topics: Topics) -> bool:
    """Whether compaction would keep the newest row of every user."""
    log = read_topic(servers, topics.interests_changelog.name)
    return last_rows(log) == newest_rows(log)


@pytest.mark.parametrize("events_follow", [False, True], ids=["idle", "busy"])
def test_what_a_stranger_writes_into_the_changelog_is_overwritten(
    kafka: ResolvedKafka, topics: Topics, tmp_path: Path, events_follow: bool
) -> None:
    traffic, servers = Traffic(users=200), kafka.access.bootstrap_servers
    with agents(servers, topics, tmp_path / "a") as worker:
        worker.wait_ready()
        produce(servers, topics, traffic.events(1_000))
        worker.wait_done()
        old = newest_rows(read_topic(servers, topics.interests_changelog.name))
        produce(servers, topics, traffic.events(1_000))
        worker.wait_done()
        write_rows(servers, topics, {**old, next(iter(old)): None})
        if events_follow:  # the next batch finds the hole, seconds before anybody looks at an idle partition
            produce(servers, topics, Traffic(users=10, seed=8).events(40))
            worker.wait_done()
        worker.wait(lambda: worker.metric("riverrun_changelog_holes_total") > 0, "the stranger was not noticed")
        worker.wait(lambda: the_last_word_is_the_newest(servers, topics), "the rows were not asserted again")
        assert worker.stop() == 0
    assert_golden(servers, topics, [tmp_path / "a"])


def test_a_restored_table_holds_the_newest_rows_also_where_stale_ones_lie_behind_them(
    kafka: ResolvedKafka, topics: Topics, tmp_path: Path
) -> None:
    traffic, servers = Traffic(users=200), kafka.access.bootstrap_servers
    with agents(servers, topics, tmp_path / "a") as worker:
        worker.wait_ready()
        produce(servers, topics, traffic.events(1_000))
        worker.wait_done()
        stale = newest_rows(read_topic(servers, topics.interests_changelog.name))
        forgotten = next(iter(stale))
        produce(servers, topics, traffic.events(2_000))
        produce(servers, topics, [Forget(event_id="f", user_id=forgotten, ts_ms=int(time.time() * 1000))])
        worker.wait_done()
        assert worker.stop() == 0
    write_rows(servers, topics, stale)  # as a woken worker would, after the owner is gone
    assert not the_last_word_is_the_newest(servers, topics)
    shutil.rmtree(tmp_path / "a")
    with agents(servers, topics, tmp_path / "a") as worker:
        worker.wait_ready()
        worker.wait(lambda: worker.metric("riverrun_changelog_healed_rows_total") == len(stale), "not all were healed")
        assert worker.metric("riverrun_recovery_rows_total") == len(
            read_topic(servers, topics.interests_changelog.name)
        ) - len(stale)
        assert worker.stop() == 0
    assert forgotten not in assert_golden(servers, topics, [tmp_path / "a"])


def write_rows(servers: str, topics: Topics, rows: Mapping[str, bytes | None]) -> None:
    """Write into the changelog beside its owner."""
    stranger = KafkaProducer(bootstrap_servers=servers)
    for user, row in rows.items():
        where = partition_of(user.encode(), topics.events.partitions)
        stranger.send(topics.interests_changelog.name, row, key=user.encode(), partition=where)
    stranger.flush()
    stranger.close()
