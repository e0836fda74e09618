"""A small shop behind a ready gateway: what the tests of its endpoints and of its streams ask."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.kafka.access import KafkaAccess
from app.kafka.resolver import ResolvedKafka
from app.kafka.topic_admin import apply_topics, delete_topics
from app.kafka.topics import Topics, load_topics
from tests.support.gateway import GatewayProcess, gateway, lists_of, publish_lists
from tests.support.kafka import unique_prefix
from tests.support.model_server import offer


@dataclass(frozen=True)
class Shop:
    """A ready gateway and what is behind it."""

    gateway: GatewayProcess
    servers: str
    topics: Topics

    def publish(self, user_id: str, version: int, *item_ids: str, event_id: str | None = None) -> None:
        publish_lists(self.servers, self.topics, [lists_of(user_id, version, *item_ids, event_id=event_id)])

    def ask_until(self, path: str, version: int) -> None:
        """Wait until this list has this version."""
        self.gateway.wait(lambda: self.gateway.ask(path).body["state_version"] == version, f"no {version} at {path}")

    def token(self, user_id: str, ttl_s: int = 60) -> str:
        token: str = self.gateway.ask("/v1/tokens", {"user_id": user_id, "ttl_s": ttl_s}).body["token"]
        return token


@contextmanager
def open_shop(kafka: ResolvedKafka, folder: Path) -> Iterator[Shop]:
    """A few items, ann's lists and the newcomers', and a gateway that allows three streams."""
    servers, topics = kafka.access.bootstrap_servers, load_topics().with_prefix(unique_prefix())
    apply_topics(KafkaAccess(servers), topics)
    offer(servers, topics, {"fargo": "Fargo (1996)", "amelie": "Amélie (2001)", "a/b": "Slash"})
    publish_lists(servers, topics, [lists_of("ann", 7, "fargo", "amelie"), lists_of("riverrun.newcomer", 99, "amelie")])
    environment = {
        "RIVERRUN_GATEWAY__KEEP_INTERESTS": "true",
        "RIVERRUN_GATEWAY__MAX_IN_FLIGHT_EVENTS": "400",
        "RIVERRUN_GATEWAY__MAX_STREAMS": "3",
        "RIVERRUN_GATEWAY__ALLOWED_ORIGINS": "https://shop.example",
        "RIVERRUN_GATEWAY__ACCESS_LOG": "true",
    }
    with gateway(servers, topics, folder / "gateway", environment) as process:
        yield Shop(process.wait_ready(), servers, topics)
    if kafka.kind == "configured":
        delete_topics(KafkaAccess(servers), topics)
