"""What the dashboard shows and the alerts say, asked of a real Prometheus that reads the real processes under traffic.

Needs `prometheus` on the PATH (Debian: apt install prometheus).
"""

import math
import random
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

import pytest
import torch

from app.kafka.ports import free_ports
from app.kafka.resolver import ResolvedKafka
from app.kafka.topics import Topics
from app.settings import Settings
from model_server.registry.save import save_version
from model_server.text.pretrained import open_text_encoder
from tests.support.agents import AgentsProcess, agents
from tests.support.dashboard import Query, queries
from tests.support.gateway import GatewayProcess, gateway
from tests.support.model_server import model_server, offer, writing
from tests.support.planted import planted_model
from tests.support.prometheus import Prometheus, prometheus

PROMETHEUS = shutil.which("prometheus")
TITLES = {f"item-{number}": f"Item number {number}" for number in range(50)}
WINDOW_S = 10
TIMEOUT_S = 60.0

pytestmark = pytest.mark.skipif(PROMETHEUS is None, reason="no prometheus on the PATH")


@dataclass(frozen=True, slots=True)
class Watched:
    """The whole of riverrun, and who watches it."""

    agents: AgentsProcess
    gateway: GatewayProcess
    prometheus: Prometheus


@pytest.fixture
def watched(kafka: ResolvedKafka, topics: Topics, settings: Settings, tmp_path: Path) -> Iterator[Watched]:
    """All processes, ready, and one record that is no event in their topic."""
    servers, encoder = (
        kafka.access.bootstrap_servers,
        open_text_encoder(settings.cache_dir, torch.device("cpu"), lambda _: None),
    )
    save_version(tmp_path / "models", planted_model(TITLES, encoder), now_ms=1_790_000_000_000)
    offer(servers, topics, TITLES)
    with ExitStack() as stack:
        processes = (
            stack.enter_context(agents(servers, topics, tmp_path / "agents")),
            stack.enter_context(model_server(servers, topics, tmp_path / "models", tmp_path / "score.log")),
            stack.enter_context(gateway(servers, topics, tmp_path / "gateway")),
        )
        ports = {
            job: int(process.wait_ready().address.rpartition(":")[2])
            for job, process in zip(("agents", "model-server", "gateway"), processes, strict=True)
        }
        with writing(servers) as producer:
            producer.send(topics.events.name, key=b"ann", value=b"no event")
        port = free_ports(random.Random()).broker
        watching = stack.enter_context(prometheus(PROMETHEUS or "", ports, tmp_path / "prometheus", port))
        yield Watched(processes[0], processes[2], watching)


def click(watched: Watched, number: int) -> None:
    """One visitor's click, as the shop sends it."""
    event = {"type": "click", "user_id": f"user-{number % 10}", "item_id": f"item-{number % 50}"}
    assert watched.gateway.ask("/v1/events", event).status == 200


def without_data(watched: Watched) -> list[Query]:
    """Queries that show nothing now."""
    answers = ((query, watched.prometheus.values(query.over(WINDOW_S))) for query in queries())
    return [query for query, values in answers if not values or any(math.isnan(value) for value in values)]


def test_under_traffic_every_panel_shows_data_and_only_the_dead_letter_is_reported(watched: Watched) -> None:
    deadline, numbers = time.monotonic() + TIMEOUT_S, count()
    missing = queries()
    while missing:
        assert time.monotonic() < deadline, f"nothing to see: {[(each.panel, each.expression) for each in missing]}"
        for number in islice(numbers, 20):
            click(watched, number)
        missing = without_data(watched)
    alerts = watched.prometheus.alerts()
    assert alerts.pop("RiverrunDeadLetters") == "firing"
    assert {name: state for name, state in alerts.items() if state == "firing"} == {}

    watched.agents.kill()
    while watched.prometheus.alerts()["RiverrunAgentsAway"] == "inactive":
        assert time.monotonic() < deadline + TIMEOUT_S, "nobody misses the agents"
        time.sleep(0.2)
