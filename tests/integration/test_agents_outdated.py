"""A state folder that was not used for so long that deletions may have left the changelog meanwhile."""

import time
from pathlib import Path

import rocksdict

from app.contracts.events import Forget
from app.kafka.resolver import ResolvedKafka
from app.kafka.topics import Topics
from app.state_folder import MAX_UNREAD_MS
from stream_agents.batch_path.database import note_read_until
from tests.support.agents import Traffic, agents, assert_golden, produce, read_topic


def test_a_folder_unused_for_half_a_day_is_restored_from_the_beginning_and_brings_nobody_back(
    kafka: ResolvedKafka, topics: Topics, tmp_path: Path
) -> None:
    servers, traffic = kafka.access.bootstrap_servers, Traffic(users=100)
    produce(servers, topics, traffic.events(1_000))
    with agents(servers, topics, tmp_path / "a") as worker:
        worker.wait_ready().wait_done()
        assert worker.stop() == 0
    with agents(servers, topics, tmp_path / "a") as soon:
        soon.wait_ready()
        assert soon.metric("riverrun_recovery_rows_total") == 0
        produce(servers, topics, [Forget(event_id="f", user_id="user-1", ts_ms=int(time.time() * 1000))])
        soon.wait_done()
        assert soon.stop() == 0
    for folder in tmp_path.rglob("interests-*.db"):
        bring_back(folder, "user-1", int(time.time() * 1000) - MAX_UNREAD_MS - 1)
    with agents(servers, topics, tmp_path / "a") as late:
        late.wait_ready()
        rows = len(read_topic(servers, topics.interests_changelog.name))
        late.wait(lambda: late.metric("riverrun_recovery_rows_total") == rows, "not all was read again")
        assert late.stop() == 0
    assert "user-1" not in assert_golden(servers, topics, [tmp_path / "a"])


def bring_back(folder: Path, user: str, read_until_ms: int) -> None:
    """A partition as it is on a worker that has not seen a deletion; its changelog offset is the newest."""
    database = rocksdict.Rdict(str(folder), rocksdict.Options(raw_mode=True))
    database.put(user.encode(), b"as if never forgotten")
    note_read_until(database, read_until_ms)
    database.close()
