"""A version's ranker follows live events: what others do, and who wants to be forgotten; after a restart, too."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from app.contracts.catalog import encode_catalog_item
from app.contracts.events import Forget, PublicEvent, Purchase, encode_event
from app.data.interactions import Dataset
from app.interests.state import Interaction, Kind, StateCause, UserState
from app.kafka.resolver import ResolvedKafka
from app.kafka.topics import Topics
from app.settings import Settings
from model_server.registry.save import save_version
from model_server.text.pretrained import open_text_encoder
from model_server.training.run import TrainingJob, train_model
from tests.support.model import DAY_MS, dataset_of, interactions_of, tiny_options
from tests.support.model_server import ModelServerProcess, PublishedLists, model_server, request_scores, writing
from tests.support.ranking import ranker_by

CPU = torch.device("cpu")
PEOPLE, ITEMS = 20, 12
OFTEN, SELDOM = "item-1", "item-2"


def shop(now_ms: int) -> Dataset:
    """What everybody took in the newest twenty days: two items each, the first of which is everybody's."""
    rows = [
        (user, 1 if day % 2 else 2 + user % 10, now_ms - (20 - day) * DAY_MS + user)
        for day in range(20)
        for user in range(PEOPLE)
    ]
    return dataset_of(interactions_of(rows, PEOPLE, ITEMS, Kind.PURCHASE))


def version(dataset: Dataset, settings: Settings, models: Path) -> None:
    encoder = open_text_encoder(settings.cache_dir, CPU, lambda _: None)
    job = TrainingJob(dataset, dataset.interactions, 0, 14.0)
    model = train_model(job, encoder, tiny_options(epochs=1), CPU, lambda _: None)
    save_version(models, replace(model, ranker=ranker_by("popular_now", dataset)), now_ms=1_790_000_000_000)


def state(number: int, now_ms: int) -> UserState:
    """Somebody who had both items."""
    had = [Interaction(item_id, Kind.PURCHASE, now_ms - 2 * DAY_MS) for item_id in (OFTEN, SELDOM)]
    return UserState.of(number, StateCause(f"cause-{number}", "purchase", now_ms, now_ms), had)


def test_lists_follow_what_others_buy_now_and_nothing_is_counted_twice(
    kafka: ResolvedKafka, topics: Topics, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIVERRUN_SCORING__RANKING_EVERY_S", "0.2")
    servers, now_ms = kafka.access.bootstrap_servers, time.time_ns() // 1_000_000
    dataset = shop(now_ms)
    version(dataset, settings, tmp_path / "models")

    def send(events: list[PublicEvent]) -> None:
        with writing(servers) as producer:
            for event in events:
                producer.send(topics.events.name, key=event.user_id.encode(), value=encode_event(event))

    def bought(count: int, ts_ms: int) -> list[PublicEvent]:
        return [
            Purchase(event_id=f"{ts_ms}-{each}", user_id=f"other-{each}", ts_ms=ts_ms, item_id=SELDOM)
            for each in range(count)
        ]

    with writing(servers) as producer:
        for item in dataset.catalog:
            producer.send(topics.catalog.name, key=item.item_id.encode(), value=encode_catalog_item(item))
    send(bought(300, now_ms - 3 * DAY_MS))  # the version knows of that time: not to be counted again
    lists = PublishedLists(servers, topics)
    asked = 0

    def again(server: ModelServerProcess) -> list[str]:
        nonlocal asked
        asked += 1
        request_scores(servers, topics, [("ann", state(asked, now_ms))])
        server.wait(lambda: lists.read().version("ann") == asked, "no list")
        newest = lists.newest["ann"]
        assert newest is not None
        return [item.item_id for item in newest.lists["again"] if item.item_id in {OFTEN, SELDOM}]

    with model_server(servers, topics, tmp_path / "models", tmp_path / "score.log") as server:
        server.wait_ready()
        assert again(server) == [OFTEN, SELDOM]
        send(bought(300, now_ms))
        server.wait(lambda: again(server) == [SELDOM, OFTEN], "the list does not follow what others buy")
        send([Forget(event_id="f", user_id="user-3", ts_ms=now_ms)])
    with model_server(servers, topics, tmp_path / "models", tmp_path / "again.log") as server:
        server.wait_ready()
        server.wait(lambda: again(server) == [SELDOM, OFTEN], "a restart loses what was counted since the training")
    lists.close()
