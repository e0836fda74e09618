"""The whole loop for a browser: real Kafka, agents, model server and gateway, a small catalogue of known answers."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import torch

from app.contracts.catalog import CatalogItem, encode_catalog_item, item_text
from app.kafka.topics import Topics
from app.settings import Settings
from model_server.registry.save import save_version
from model_server.text.pretrained import open_text_encoder
from tests.support.agents import agents
from tests.support.gateway import GatewayProcess, gateway
from tests.support.model_server import model_server, writing
from tests.support.planted import planted_model

FAMILIES: Final = {
    "Sci-Fi": "Spaceship to the Moon",
    "Romance": "A Wedding in Paris",
    "Horror": "Vampire in the Haunted Castle",
    "Western": "Cowboy and the Sheriff",
}
EACH: Final = 12
HOSTILE_TITLE: Final = "<img src=x onerror=document.title='broken'> Night"
_MODEL_MADE_MS: Final = 1_790_000_000_000


class Loop:
    """What is running. The gateway may be killed, and started again where it was.

    Args:
        start_gateway: starts one on a port; 0: a free one.
        catalog: the topic of items.
    """

    def __init__(self, start_gateway: Callable[[int], GatewayProcess], catalog: str) -> None:
        self._start_gateway = start_gateway
        self.catalog = catalog
        self.gateway = start_gateway(0).wait_ready()

    @property
    def address(self) -> str:
        """Of the page."""
        return f"http://127.0.0.1:{self.gateway.port}/"

    def restart(self, port: int) -> None:
        """Start the gateway again; the page may come before it is ready."""
        self.gateway = self._start_gateway(port)


def films() -> list[CatalogItem]:
    """Films of a few families: what is like a film is its family."""
    known = [
        CatalogItem(
            item_id=f"{family.lower()}-{number}", kind="movie", title=f"{title} {number} ({1980 + number})",
            category=(family, "Drama") if number % 2 else (family,),
        )
        for family, title in FAMILIES.items()
        for number in range(1, EACH + 1)
    ]  # fmt: skip
    return [*known, CatalogItem(item_id="hostile", kind="movie", title=HOSTILE_TITLE, category=("<b>Horror</b>",))]


@contextmanager
def running_loop(bootstrap_servers: str, topics: Topics, settings: Settings, folder: Path) -> Iterator[Loop]:
    """Everything ready, with open access; gone after the block."""
    catalog = films()
    encoder = open_text_encoder(settings.cache_dir, torch.device("cpu"), lambda _: None)
    texts = {item.item_id: item_text(item) for item in catalog}
    save_version(folder / "models", planted_model(texts, encoder), now_ms=_MODEL_MADE_MS)
    with writing(bootstrap_servers) as producer:
        for item in catalog:
            producer.send(topics.catalog.name, key=item.item_id.encode(), value=encode_catalog_item(item))
    with (
        agents(bootstrap_servers, topics, folder / "agents") as worker,
        model_server(bootstrap_servers, topics, folder / "models", folder / "score.log") as scorer,
    ):
        worker.wait_ready()
        scorer.wait_ready()
        environment = {
            "RIVERRUN_GATEWAY__API_KEYS": "",
            "RIVERRUN_GATEWAY__OPEN_ACCESS": "true",
            "RIVERRUN_GATEWAY__KEEP_INTERESTS": "true",
            "RIVERRUN_GATEWAY__SCRAPE": ",".join(
                f"http://127.0.0.1:{each.metrics_port}/metrics" for each in (worker, scorer)
            ),
        }
        with ExitStack() as gateways:
            yield Loop(
                lambda port: gateways.enter_context(
                    gateway(bootstrap_servers, topics, folder / "gateway", environment, port)
                ),
                topics.catalog.name,
            )
