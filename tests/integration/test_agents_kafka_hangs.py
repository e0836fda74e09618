"""A Kafka of which a part is out of reach, and one that does not take the worker in."""

import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from app.errors import SettingsError
from app.kafka.resolver import ResolvedKafka
from app.kafka.topics import Topics
from tests.support.agents import AgentsProcess, Traffic, agents, assert_golden, committed_everything, produce


@pytest.fixture
def hanging() -> Iterator[str]:
    """An address where connections are taken and nothing is ever said: a machine that hangs."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def has_read(worker: AgentsProcess) -> bool:
    return worker.metric("riverrun_events_read_total") > 0


def test_a_host_that_hangs_at_the_head_of_the_list_does_not_stop_the_workers_in_a_rebalance(
    kafka: ResolvedKafka, topics: Topics, tmp_path: Path, hanging: str
) -> None:
    alive = kafka.access.bootstrap_servers
    servers, folders = f"{hanging},{alive}", [tmp_path / "a", tmp_path / "b"]
    with agents(servers, topics, folders[0]) as first, agents(servers, topics, folders[1]) as second:
        first.wait_ready()
        second.wait_ready()
        produce(alive, topics, Traffic(users=300).events(3_000))
        for worker in (first, second):
            worker.wait(partial(has_read, worker), "it did not begin")
        assert second.metric("riverrun_ready") == 1
        assert second.stop() == 0
        first.wait(partial(committed_everything, alive, topics), "not everything was committed")
        assert first.stop() == 0
    assert_golden(alive, topics, folders, users=300)


def test_a_worker_that_the_group_does_not_take_ends_and_names_the_setting(
    kafka: ResolvedKafka, topics: Topics, tmp_path: Path
) -> None:
    # Longer than a broker takes unless somebody has set it otherwise.
    with agents(
        kafka.access.bootstrap_servers, topics, tmp_path / "a", {"RIVERRUN_KAFKA__SESSION_TIMEOUT_MS": "2000000"}
    ) as worker:
        assert worker.ended() == SettingsError.exit_code
        assert "no worker with RIVERRUN_KAFKA__SESSION_TIMEOUT_MS=2000000" in worker.log
