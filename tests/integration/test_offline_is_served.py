"""What the offline evaluation recommends is what the processes serve: same version, same events, same lists."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from app.contracts.catalog import encode_catalog_item
from app.contracts.events import Event, Search, encode_event
from app.data.interactions import Dataset, by_user
from app.kafka.resolver import ResolvedKafka
from app.kafka.topics import Topics
from app.replay import events_of
from app.settings import Settings
from model_server.evaluation.live_version import Surroundings
from model_server.evaluation.recommender import riverrun
from model_server.hybrid.blend import BlendWeights
from model_server.judging.cases import Cases
from model_server.registry.load import load_version
from model_server.registry.save import save_version
from model_server.text.pretrained import open_text_encoder
from model_server.training.run import TrainingJob, train_model
from tests.support.agents import agents
from tests.support.model import planted_dataset, tiny_options
from tests.support.model_server import PublishedLists, model_server, writing

CPU = torch.device("cpu")
HALF_LIFE_DAYS = 14.0
SHOWN = 18  # of home's 20 places two are for new items
SMALL_BATCHES = "7"  # larger ones may be encoded in half precision


@dataclass(frozen=True)
class Offline:
    """(users, items) scores, and what each user had."""

    scores: np.ndarray[tuple[int, int], np.dtype[np.floating]]
    had: list[set[int]]


def offline(dataset: Dataset, cut: int, settings: Settings, folder: Path) -> Offline:
    """Ask the evaluation's recommender about everybody, after everything that happened."""
    encoder = open_text_encoder(settings.cache_dir, CPU, lambda _: None)
    model = load_version(folder, CPU).model
    assert model.hybrid.weights.covisitation > 0, "nothing is counted live: the test would prove little"
    log = dataset.interactions
    recommender = riverrun(model, Surroundings(dataset.catalog, encoder, HALF_LIFE_DAYS), log.take(slice(0, cut)))
    recommender.observe(log.take(slice(cut, None)))
    positions = by_user(log)
    histories = [log.take(each) for each in positions]
    now_ms = np.array([history.ts_ms[-1] for history in histories])
    scores = recommender.scores(Cases(histories, np.arange(len(histories)), now_ms))
    return Offline(scores, [set(history.items.tolist()) for history in histories])


def trained(dataset: Dataset, cut: int, settings: Settings, models: Path) -> Path:
    """A version that knows the events before the cut; whatever validation chose, everything is blended in."""
    encoder = open_text_encoder(settings.cache_dir, CPU, lambda _: None)
    part = dataset.interactions.take(slice(0, cut))
    job = TrainingJob(dataset, part, len(dataset.interactions) - cut, HALF_LIFE_DAYS)
    model = train_model(job, encoder, tiny_options(epochs=2), CPU, lambda _: None)
    hybrid = type(model.hybrid)(
        covisitation=model.hybrid.covisitation,
        options=model.hybrid.options,
        neighbours=model.hybrid.neighbours,
        reading=model.hybrid.reading,
        weights=BlendWeights(covisitation=0.5, neighbours=0.3),
    )
    values = {name: getattr(model, name) for name in model.__dataclass_fields__}
    return save_version(models, type(model)(**values | {"hybrid": hybrid}), now_ms=1_790_000_000_000)


def test_the_lists_that_kafka_gets_are_those_of_the_offline_evaluation(
    kafka: ResolvedKafka, topics: Topics, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIVERRUN_SCORING__MAX_BATCH_USERS", SMALL_BATCHES)
    servers, dataset = kafka.access.bootstrap_servers, planted_dataset(users=80, items=60, length=12, noise=True)
    log = dataset.interactions
    cut = len(log) * 6 // 10
    wanted = offline(dataset, cut, settings, trained(dataset, cut, settings, tmp_path / "models"))

    def send(events: list[Event]) -> None:
        with writing(servers) as producer:
            for event in events:
                producer.send(topics.events.name, key=event.user_id.encode(), value=encode_event(event))

    with writing(servers) as producer:
        for item in dataset.catalog:
            producer.send(topics.catalog.name, key=item.item_id.encode(), value=encode_catalog_item(item))
    send(list(events_of(dataset, 0, len(log))))
    with (
        agents(servers, topics, tmp_path / "agents") as worker,
        model_server(servers, topics, tmp_path / "models", tmp_path / "score.log") as server,
    ):
        worker.wait_ready()
        server.wait_ready()
        server.wait(
            lambda: server.metric("riverrun_counted_events_total") == len(log) - cut, "not every event was counted"
        )
        # A search changes a user's state, so there is a new list, and nothing that is counted.
        newest_ms = int(log.ts_ms[-1])
        send([Search(event_id=f"now-{user}", user_id=user, ts_ms=newest_ms, query="anything") for user in log.user_ids])
        lists = PublishedLists(servers, topics)

        def causes() -> set[str]:
            return {each.cause.event_id for each in lists.read().newest.values() if each is not None}

        server.wait(lambda: causes() == {f"now-{user}" for user in log.user_ids}, "not everybody has the last list")
        for user, user_id in enumerate(log.user_ids):
            home = lists.newest[user_id].lists["home"][:SHOWN]  # type: ignore[union-attr]  # everybody has one
            own = wanted.scores[user].copy()
            own[list(wanted.had[user])] = -np.inf
            best = np.sort(own)[::-1][:SHOWN]
            items = [dataset.interactions.item_ids.index(place.item_id) for place in home]
            blended = best >= 0
            # Equal scores may stand in any order: each place has the score that offline gives to that place.
            assert own[items][blended] == pytest.approx(best[blended], abs=2e-3)
            assert [place.score for place in home if place.source != "popularity"] == pytest.approx(
                best[: sum(place.source != "popularity" for place in home)], abs=2e-3
            )
        lists.close()
