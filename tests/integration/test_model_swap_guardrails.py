"""A version that is worse is taken back by the server that sees it."""

from pathlib import Path

import pytest

from app.kafka.resolver import ResolvedKafka
from app.kafka.topics import Topics
from model_server.registry.champion import promote, read_succession
from tests.support.model_server import model_server, offer
from tests.support.swapping import TITLES, Versions, serves, traffic


def test_a_version_whose_lists_nobody_wants_is_taken_back(
    kafka: ResolvedKafka, topics: Topics, versions: Versions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Visitors go on with films like the last one: the version that shows the others loses its hits."""
    monkeypatch.setenv("RIVERRUN_SCORING__GUARD_S", "60")
    address = kafka.access.bootstrap_servers
    offer(address, topics, TITLES)
    with model_server(address, topics, versions.folder, tmp_path / "log") as server, traffic(address, topics) as flow:
        server.wait_ready()
        flow.walk(steps=6, visitors=30)
        promote(versions.folder, versions.unlike, "by mistake", now_ms=2)
        server.wait(lambda: serves(server, versions.unlike), "it was not swapped in")
        flow.walk(steps=6, visitors=30)
        server.wait(lambda: server.metric("riverrun_models_taken_back_total") == 1, "no guardrail tripped")
        server.wait(lambda: serves(server, versions.alike), "the version before did not come back")
    succession = read_succession(versions.folder)
    assert succession is not None
    assert (succession.champion.version, succession.champion.restored) == (versions.alike, True)
    assert "guardrail: live hits: 0.0% of" in succession.withdrawn[0].reason
