"""The agents against a real Kafka: whatever happens to the process, the state is the fold of the whole log."""

import shutil
import signal
from pathlib import Path

from app.kafka.access import KafkaAccess
from app.kafka.local import LocalKafka
from app.kafka.resolver import ResolvedKafka
from app.kafka.topic_admin import apply_topics
from app.kafka.topics import Topics, load_topics
from tests.support.agents import (
    Traffic,
    agents,
    assert_golden,
    produce,
    read_topic,
)
from tests.support.kafka import unique_prefix


def test_after_a_normal_run_table_changelog_and_score_requests_are_the_fold_of_the_log(
    kafka: ResolvedKafka, topics: Topics, tmp_path: Path
) -> None:
    sent = produce(kafka.access.bootstrap_servers, topics, Traffic(users=300).events(6_000))
    with agents(kafka.access.bootstrap_servers, topics, tmp_path / "a") as worker:
        worker.wait_ready().wait_done()

        assert worker.metric("riverrun_events_read_total") == sent
        assert worker.metric("riverrun_events_accepted_total") == sent
        assert worker.get("/healthz")[0] == 200
        assert worker.stop() == 0
    assert_golden(kafka.access.bootstrap_servers, topics, [tmp_path / "a"], users=300)


def test_sigterm_in_mid_stream_and_a_restart_replay_nothing(
    kafka: ResolvedKafka, topics: Topics, tmp_path: Path
) -> None:
    traffic = Traffic(users=300)
    produce(kafka.access.bootstrap_servers, topics, traffic.events(20_000))
    with agents(kafka.access.bootstrap_servers, topics, tmp_path / "a") as worker:
        worker.wait(lambda: worker.metric("riverrun_events_read_total") > 0, "nothing was read")
        assert worker.stop() == 0
    produce(kafka.access.bootstrap_servers, topics, traffic.events(2_000))
    with agents(kafka.access.bootstrap_servers, topics, tmp_path / "a") as worker:
        worker.wait_ready().wait_done()
        assert 'outcome="replayed"} 0' in worker.get("/metrics")[1].replace(".0\n", "\n")
        assert worker.stop() == 0
    assert_golden(kafka.access.bootstrap_servers, topics, [tmp_path / "a"])


def test_kill_9_in_mid_stream_loses_nothing_with_the_disk_kept_and_with_the_disk_lost(
    kafka: ResolvedKafka, topics: Topics, tmp_path: Path
) -> None:
    traffic = Traffic(users=300)
    for disk_is_lost in (False, True):
        produce(kafka.access.bootstrap_servers, topics, traffic.events(15_000))
        with agents(kafka.access.bootstrap_servers, topics, tmp_path / "a") as worker:
            worker.wait(lambda: worker.metric("riverrun_events_read_total") > 0, "nothing was read")
            worker.kill()
        if disk_is_lost:
            shutil.rmtree(tmp_path / "a")
    with agents(kafka.access.bootstrap_servers, topics, tmp_path / "a") as worker:
        worker.wait_ready().wait_done()
        assert worker.stop() == 0
    assert_golden(kafka.access.bootstrap_servers, topics, [tmp_path / "a"])


def test_kill_9_falls_back_to_the_last_flush_and_restores_the_rest_from_the_changelog(
    kafka: ResolvedKafka, topics: Topics, tmp_path: Path
) -> None:
    small = {"RIVERRUN_AGENTS__WRITE_BUFFER_MB": "1"}
    traffic = Traffic(users=20_000)
    produce(kafka.access.bootstrap_servers, topics, traffic.events(60_000))
    with agents(kafka.access.bootstrap_servers, topics, tmp_path / "a", small) as worker:
        worker.wait_ready().wait_done()
        worker.kill()
    appended = len(read_topic(kafka.access.bootstrap_servers, topics.interests_changelog.name))
    produce(kafka.access.bootstrap_servers, topics, traffic.events(2_000))
    with agents(kafka.access.bootstrap_servers, topics, tmp_path / "a", small) as worker:
        worker.wait_ready().wait_done()
        assert 0 < worker.metric("riverrun_recovery_rows_total") < appended
        assert worker.stop() == 0
    assert_golden(kafka.access.bootstrap_servers, topics, [tmp_path / "a"])


def test_workers_that_join_and_leave_under_load_share_the_work_and_lose_nothing(
    kafka: ResolvedKafka, topics: Topics, tmp_path: Path
) -> None:
    traffic = Traffic(users=300)
    folders = [tmp_path / name for name in ("a", "b", "c")]
    with agents(kafka.access.bootstrap_servers, topics, folders[0]) as first:
        first.wait_ready()
        produce(kafka.access.bootstrap_servers, topics, traffic.events(10_000))
        with agents(kafka.access.bootstrap_servers, topics, folders[1]) as second:
            second.wait_ready()
            produce(kafka.access.bootstrap_servers, topics, traffic.events(10_000))
            first.wait(lambda: second.metric("riverrun_events_read_total") > 0, "the second got no work")
            assert 0 < first.metric("riverrun_assigned_partitions") < topics.events.partitions
            assert first.stop() == 0
            produce(kafka.access.bootstrap_servers, topics, traffic.events(10_000))
            with agents(kafka.access.bootstrap_servers, topics, folders[2]) as third:
                third.wait_ready()
                second.kill()
                produce(kafka.access.bootstrap_servers, topics, traffic.events(5_000))
                third.wait_done()
                assert third.stop() == 0
    assert_golden(kafka.access.bootstrap_servers, topics, folders)


def test_a_worker_that_wakes_up_after_the_takeover_spoils_nothing(
    kafka: ResolvedKafka, topics: Topics, tmp_path: Path
) -> None:
    traffic = Traffic(users=300)
    with (
        agents(kafka.access.bootstrap_servers, topics, tmp_path / "zombie") as zombie,
        agents(kafka.access.bootstrap_servers, topics, tmp_path / "heir") as heir,
    ):
        zombie.wait_ready()
        heir.wait_ready()
        produce(kafka.access.bootstrap_servers, topics, traffic.events(60_000))
        zombie.wait(lambda: zombie.metric("riverrun_events_read_total") > 0, "nothing was read")
        zombie.send(signal.SIGSTOP)
        produce(kafka.access.bootstrap_servers, topics, traffic.events(5_000))
        heir.wait(lambda: heir.metric("riverrun_assigned_partitions") == topics.events.partitions, "nobody took over")
        heir.wait_done()
        zombie.wake()
        produce(kafka.access.bootstrap_servers, topics, traffic.events(5_000))
        heir.wait_done()
        assert zombie.stop() == 0
        assert heir.stop() == 0
    assert_golden(kafka.access.bootstrap_servers, topics, [tmp_path / "zombie", tmp_path / "heir"])


def test_a_broker_that_goes_away_and_comes_back_is_waited_for(own_kafka: LocalKafka, tmp_path: Path) -> None:
    topics, traffic = load_topics().with_prefix(unique_prefix()), Traffic(users=300)
    servers = own_kafka.bootstrap_servers
    apply_topics(KafkaAccess(servers), topics)

    def read() -> float:
        return worker.metric("riverrun_events_read_total")

    def goes_away_and_comes_back() -> None:
        own_kafka.kill()
        worker.wait(lambda: worker.get("/readyz")[0] == 503, "it still claimed to be ready")
        own_kafka.start()
        worker.wait_done()

    with agents(servers, topics, tmp_path / "a", {"RIVERTEST_SLOW_APPEND_S": "0.5"}) as worker:
        worker.wait_ready()
        produce(servers, topics, traffic.events(20_000))
        worker.wait(lambda: read() > 0, "nothing was read")
        goes_away_and_comes_back()

        read_before = read()
        sent = produce(servers, topics, traffic.events(20))
        assert read() < read_before + sent  # in hand, and no event comes behind it that would bring it up again
        goes_away_and_comes_back()
        worker.wait_ready()
        assert worker.stop() == 0
    assert_golden(servers, topics, [tmp_path / "a"])
