"""The gateway on a real Kafka: every endpoint, as a server and as a browser sees it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.kafka.resolver import ResolvedKafka
from app.kafka.topics import Topics
from tests.support.gateway import GatewayProcess, gateway, lists_of, publish_lists
from tests.support.model_server import offer


@pytest.fixture
def served(kafka: ResolvedKafka, topics: Topics, tmp_path: Path) -> Iterator[GatewayProcess]:
    """A ready gateway."""
    offer(kafka.bootstrap_servers, topics, {"fargo": "Fargo (1996)", "amelie": "Amélie (2001)"})
    publish_lists(kafka.bootstrap_servers, topics, [lists_of("ann", 7, "fargo", "amelie")])
    with gateway(kafka.bootstrap_servers, topics, tmp_path / "gateway") as process:
        yield process.wait_ready()


def test_a_users_newest_list_is_served_with_the_items_titles(served: GatewayProcess) -> None:
    answer = served.ask("/v1/users/ann/recommendations?expand=items")
    assert (answer.status, answer.body["known"], answer.body["state_version"]) == (200, True, 7)
    assert [each["item"]["title"] for each in answer.body["items"]] == ["Fargo (1996)", "Amélie (2001)"]


def test_a_stream_brings_the_newest_list_at_once_and_then_each_newer_one(
    served: GatewayProcess, kafka: ResolvedKafka, topics: Topics
) -> None:
    with served.stream("/v1/users/ann/recommendations/stream") as stream:
        lists = stream.lists()
        assert next(lists)["state_version"] == 7
        publish_lists(kafka.bootstrap_servers, topics, [lists_of("ann", 6, "fargo"), lists_of("ann", 8, "amelie")])
        assert next(lists)["state_version"] == 8
