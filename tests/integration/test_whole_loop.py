"""Agents and model server together on a real Kafka: killed in mid-stream, they lose neither an event nor a list."""

from pathlib import Path

import torch

from app.interests.state import decode_state
from app.kafka.resolver import ResolvedKafka
from app.kafka.topics import Topics
from app.settings import Settings
from model_server.registry.save import save_version
from model_server.text.pretrained import open_text_encoder
from tests.support.agents import Traffic, agents, assert_golden, produce
from tests.support.model_server import PublishedLists, model_server, offer
from tests.support.planted import planted_model

USERS = 200
TITLES = {f"item-{number}": f"Item number {number}" for number in range(500)}


def test_kill_9_of_both_processes_in_mid_stream_leaves_a_fresh_list_for_every_changed_user(
    kafka: ResolvedKafka, topics: Topics, settings: Settings, tmp_path: Path
) -> None:
    servers, traffic, log = kafka.access.bootstrap_servers, Traffic(users=USERS), tmp_path / "score.log"
    encoder = open_text_encoder(settings.cache_dir, torch.device("cpu"), lambda _: None)
    save_version(tmp_path / "models", planted_model(TITLES, encoder), now_ms=1_790_000_000_000)
    offer(servers, topics, TITLES)

    with (
        agents(servers, topics, tmp_path / "agents") as first_agents,
        model_server(servers, topics, tmp_path / "models", log) as first_server,
    ):
        first_agents.wait_ready()
        first_server.wait_ready()
        produce(servers, topics, traffic.events(4_000))
        first_server.wait(lambda: first_server.metric("riverrun_users_scored_total") > 0, "nobody was scored")
        first_server.kill()
        produce(servers, topics, traffic.events(4_000))
        first_agents.kill()
    produce(servers, topics, traffic.events(1_000))

    with (
        agents(servers, topics, tmp_path / "agents") as second_agents,
        model_server(servers, topics, tmp_path / "models", log) as second_server,
    ):
        second_agents.wait_ready()
        second_agents.wait_done()
        assert second_agents.stop() == 0  # a running worker's table is not all on disk
        golden = assert_golden(servers, topics, [tmp_path / "agents"], users=USERS)
        versions = {user_id: decode_state(row).state_version for user_id, row in golden.items()}

        lists = PublishedLists(servers, topics)
        second_server.wait(
            lambda: lists.read() is lists and all(lists.version(user) == versions[user] for user in versions),
            "not every user has the list that the newest event caused",
        )
        lists.close()
        assert second_server.stop() == 0
