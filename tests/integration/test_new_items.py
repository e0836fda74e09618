"""New items on a real Kafka: into lists within seconds, moved by their first clicks, gone at once, in nobody's way.

`FLOOD=100000 pytest -s tests/integration/test_new_items.py` is the long run that DECISIONS.md records.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from app.contracts.catalog import CatalogItem, item_text
from app.contracts.events import Click, encode_event
from app.contracts.recommendations import Recommendations, RecommendedItem
from app.interests.state import Kind, UserState
from app.kafka.resolver import ResolvedKafka
from app.kafka.topics import Topics
from app.settings import Settings
from model_server.hybrid.blend import BlendWeights
from model_server.registry.save import save_version
from model_server.text.pretrained import FINGERPRINT, open_text_encoder
from model_server.text.store import EmbeddingStore, text_key
from tests.support.model_server import ModelServerProcess, PublishedLists, model_server, offer, request_scores, writing
from tests.support.planted import planted_model
from tests.support.states import state_of

SUBJECTS = ("space ships and aliens", "a jazz band on tour", "cooking in a small kitchen", "horses and cowboys")
TITLES = {f"film-{number}": f"{SUBJECTS[number % 4]}, part {number // 4}" for number in range(40)}
FANS = {
    f"fan-{subject}": state_of((Kind.LIKE, f"film-{subject}"), (Kind.LIKE, f"film-{subject + 4}"))
    for subject in range(4)
}
SOON_S = 10.0  # on two cores that other tests use as well; alone it takes a third of a second
FLOOD = int(os.environ.get("FLOOD", "3000"))
ASKED = max(100, FLOOD // 100)
BOUND_MS = 500  # alone: 20


@dataclass(frozen=True)
class Shop:
    """A model server with a catalog, its lists, and who asks for them."""

    bootstrap_servers: str
    topics: Topics
    server: ModelServerProcess
    lists: PublishedLists

    def offer(self, titles: dict[str, str | None]) -> None:
        offer(self.bootstrap_servers, self.topics, titles)

    def home(self, user_id: str) -> dict[str, RecommendedItem]:
        """A list made now."""
        version, state = self.lists.version(user_id) + 1, FANS[user_id]
        asked = UserState.of(version, state.cause, state.interactions())
        request_scores(self.bootstrap_servers, self.topics, [(user_id, asked)])
        self.server.wait(lambda: self.lists.read().version(user_id) == version, "the list did not come")
        return {item.item_id: item for item in self._newest(user_id).lists["home"]}

    def new(self, user_id: str) -> set[str]:
        """What stands in the places for new items of a list made now."""
        return {item_id for item_id, item in self.home(user_id).items() if item.source == "new"}

    def waited_ms(self, user_id: str) -> int:
        """From the moment Kafka had the newest request to the moment the list was made."""
        newest = self._newest(user_id)
        assert newest.requested_ts_ms is not None
        return newest.generated_ts_ms - newest.requested_ts_ms

    def click(self, *clicks: tuple[str, str]) -> None:
        """Users click items, one after the other."""
        now_ms = time.time_ns() // 1_000_000
        with writing(self.bootstrap_servers) as producer:
            for number, (user_id, item_id) in enumerate(clicks):
                event = Click(event_id=f"click-{number}", user_id=user_id, item_id=item_id, ts_ms=now_ms + number)
                producer.send(self.topics.events.name, key=user_id.encode(), value=encode_event(event))

    def wait(self, condition: Callable[[], bool], otherwise: str) -> None:
        """Until something is so, which must be soon."""
        self.server.wait(condition, otherwise, SOON_S)

    def _newest(self, user_id: str) -> Recommendations:
        newest = self.lists.newest[user_id]
        assert newest is not None
        return newest


@pytest.fixture
def shop(
    kafka: ResolvedKafka, topics: Topics, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shop]:
    """Its version blends in what is counted live. Texts that nobody needs again stay out of everybody's cache."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "wheels").symlink_to(settings.cache_dir / "wheels")
    monkeypatch.setenv("RIVERRUN_CACHE_DIR", str(tmp_path / "cache"))
    known = EmbeddingStore(tmp_path / "cache" / "text-embeddings" / "embeddings.sqlite")
    texts = [item_text(CatalogItem(item_id=item_id, title=title)) for item_id, title in TITLES.items()]
    encoder = open_text_encoder(settings.cache_dir, torch.device("cpu"), lambda _: None)
    known.write(
        {text_key(FINGERPRINT, text): vector for text, vector in zip(texts, encoder.encode(texts), strict=True)}
    )
    model = planted_model(TITLES, encoder)
    blended = replace(model.hybrid, weights=BlendWeights(covisitation=2.0))
    save_version(tmp_path / "models", replace(model, hybrid=blended), now_ms=1_790_000_000_000)
    servers = kafka.access.bootstrap_servers
    offer(servers, topics, TITLES)
    lists = PublishedLists(servers, topics)
    try:
        with model_server(servers, topics, tmp_path / "models", tmp_path / "score.log") as server:
            yield Shop(servers, topics, server.wait_ready(), lists)
    finally:
        lists.close()


def test_a_new_item_comes_to_whom_it_suits_is_moved_by_its_first_clicks_and_goes_at_once(shop: Shop) -> None:
    shop.home("fan-0")
    fresh = {f"new-{number}": f"{SUBJECTS[number % 4]}, the return {number // 4}" for number in range(12)}
    shop.offer(dict(fresh))
    server = shop.server
    server.wait(lambda: bool(shop.new("fan-0")), "no new item came")  # the first text waits for the encoder's weights
    shop.wait(lambda: server.metric('riverrun_catalog_items{state="new"') == len(fresh), "not all are there")
    for subject in range(4):  # everybody is shown what suits
        suits = {item_id for number, item_id in enumerate(fresh) if number % 4 == subject}
        assert suits <= shop.home(f"fan-{subject}").keys()

    # Whoever liked the first film about space went on to a new one about cooking: others are shown it for that.
    before = shop.home("fan-0").get("new-2")
    assert before is None or before.source != "covisitation"
    shop.click(*[(f"u{user}", item_id) for user in range(5) for item_id in ("film-4", "new-2")])

    def moved() -> bool:
        item = shop.home("fan-0").get("new-2")
        return item is not None and item.source == "covisitation"

    shop.wait(moved, "its first clicks did not move it")
    shop.offer({"late": f"{SUBJECTS[3]}, the last"} | {item_id: None for item_id in fresh if item_id != "new-2"})
    shop.wait(lambda: "late" in shop.home("fan-3"), "a new item did not come soon")
    shop.offer({"new-2": None})
    shop.wait(lambda: "new-2" not in shop.home("fan-0"), "it was not gone")


@pytest.mark.timeout(600 + FLOOD // 50)
def test_texts_by_the_thousand_are_encoded_in_nobodys_way(shop: Shop) -> None:
    server, rng = shop.server, np.random.default_rng(6)
    calm_ms = waits(shop)
    shop.offer({f"new-{number}": f"{SUBJECTS[number % 4]} {rng.integers(1 << 60)}" for number in range(FLOOD)})
    shop.wait(lambda: server.metric('riverrun_catalog_items{state="unencoded"') > 0, "no flood")
    waited_ms = waits(shop)
    gone = next(item_id for item_id in shop.home("fan-2") if item_id.startswith("film"))
    shop.offer({gone: None})
    shop.wait(lambda: gone not in shop.home("fan-2"), "a delisting waited for the encoder")
    assert server.metric('riverrun_catalog_items{state="unencoded"') > 0, "it was over before anybody clicked"
    for name, measured in (("before", calm_ms), ("meanwhile", waited_ms)):
        p50, p95, p99 = np.percentile(measured, (50, 95, 99))
        sys.stdout.write(f"{ASKED:,} requests {name}: p50 {p50:.0f} ms, p95 {p95:.0f}, p99 {p99:.0f}\n")
    assert np.quantile(waited_ms, 0.95) < BOUND_MS


def waits(shop: Shop) -> list[int]:
    """How long each of some requests waited for its list, one after the other."""
    waited_ms = []
    for number in range(ASKED):
        shop.home(f"fan-{number % 4}")
        waited_ms.append(shop.waited_ms(f"fan-{number % 4}"))
    return waited_ms
