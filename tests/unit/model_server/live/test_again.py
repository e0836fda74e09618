"""The lists in which things come back: what a version serves is what evaluation measures of it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import pytest
import torch
from rich.console import Console

from app.contracts.catalog import Promotion
from app.contracts.recommendations import RecommendedItem
from app.data.interactions import Dataset, Interactions
from app.errors import ModelVersionError
from app.interests.draft import Bounds
from app.interests.state import Kind
from app.replay import events_of
from app.surfaces.surface import Hide, Source, SourceSpec, Surface, Surfaces, load_surfaces
from app.surfaces.touches import History, history_of
from model_server.counts.live import LiveCoVisitation
from model_server.evaluation.basket import Task
from model_server.evaluation.contestants import RIVERRUN
from model_server.evaluation.own_models import OwnModels, Wanted
from model_server.evaluation.ranked import RankedRecommender, as_served
from model_server.evaluation.recommender import VersionRecommender
from model_server.evaluation.served_lists import ServedList
from model_server.hybrid.again import ServedRanker
from model_server.hybrid.served import ServedModel
from model_server.hybrid.sources import hybrid_of
from model_server.items.index import ItemIndex
from model_server.items.rows import ItemRows
from model_server.items.view import Listing
from model_server.judging.cases import Cases
from model_server.judging.metrics import top_items
from model_server.model.continued import ContinuedEncoder
from model_server.model.memory import EncodingMemory
from model_server.model.serving import UserEncoder
from model_server.ranking.live import LiveTables
from model_server.ranking.names import fingerprints
from model_server.ranking.people import NOBODY
from model_server.ranking.promotion import nothing_promoted, promoting_now
from model_server.registry.load import load_version
from model_server.registry.save import save_version
from model_server.registry.version import TrainedModel, trained_items
from model_server.scoring.scorer import Lists, Scorer
from model_server.training.run import TrainingJob
from model_server.training.second_stage import comes_back, with_ranker
from tests.support.events import received
from tests.support.folding import fold_whole
from tests.support.model import DAY_MS, baseline_context, dataset_of, interactions_of, planted_dataset
from tests.support.planted import WordEncoder, planted_model
from tests.support.ranking import ranker_by

PEOPLE, ITEMS, DAYS = 40, 40, 70
CPU, ENCODER = torch.device("cpu"), WordEncoder()
NOW_MS: Final = DAYS * DAY_MS
PLACE_OF: Final = {"north": 0, "south": 1}
LIST: Final = Surface("again", 10, frozenset({Hide.IN_CART}), (SourceSpec(Source.AGAIN),))


def shop() -> Dataset:
    """Everybody needs one item every week on their own day and another on any other day of four; two places."""
    rows = [
        (user, user % 20 if (day + user) % 7 == 0 else 20 + user % 20, day * DAY_MS + user * 1_800_000)
        for day in range(DAYS)
        for user in range(PEOPLE)
        if (day + user) % 7 == 0 or (day * 7 + user) % 4 == 0
    ]
    log = interactions_of(rows, PEOPLE, ITEMS, Kind.PURCHASE)
    places = (log.users % 2).astype(np.int32)
    return dataset_of(replace(log, places=places, place_ids=("north", "south")))


@cache
def trained() -> TrainedModel:
    """With a ranker, from everything."""
    dataset = shop()
    texts = {item.item_id: item.title for item in dataset.catalog}
    job = TrainingJob(dataset, dataset.interactions, 0, 14.0)
    return with_ranker(planted_model(texts, ENCODER), job, ENCODER, 0, lambda _line: None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_version(tmp_path / "models", trained(), NOW_MS)


class Shelf:
    """A scorer of this version with everything for sale, at one moment."""

    def __init__(
        self,
        model: TrainedModel,
        *surfaces: Surface,
        promotions: Mapping[str, tuple[Promotion, ...]] | None = None,
    ) -> None:
        rows = ItemRows(model.item_ids)
        self.index = ItemIndex(model.network, trained_items(model), CPU, rows=rows)
        titles = [f"Thing {item_id}" for item_id in model.item_ids]
        listings = [
            Listing(item_id, title, (promotions or {}).get(item_id, ()))
            for item_id, title in zip(model.item_ids, titles, strict=True)
        ]
        self.index.put(listings, ENCODER.encode(titles))
        memory = EncodingMemory(100, model.network.config.hidden, CPU)
        encoder = ContinuedEncoder(UserEncoder(model.network, half=False), memory, CPU)
        hybrid = hybrid_of(model.hybrid, LiveCoVisitation(model.hybrid.covisitation, model.hybrid.options, rows))
        self.live = None if model.ranker is None else LiveTables(model.ranker, self.index.promoted)
        ranker = None
        if model.ranker is not None and self.live is not None:
            self.live.redo(NOW_MS)
            ranker = ServedRanker(model.ranker.ranker, self.live, lambda: NOW_MS)
        chosen = Surfaces(surfaces, 5.0) if surfaces else load_surfaces()
        self._scorer = Scorer(ServedModel(model.network, encoder, hybrid, ranker), self.index, chosen, list, CPU)

    def score(self, histories: Sequence[History]) -> list[Lists]:
        return self._scorer.score([f"user-{number}" for number in range(len(histories))], histories).lists

    def again(self, histories: Sequence[History]) -> list[tuple[RecommendedItem, ...]]:
        return [lists["again"] for lists in self.score(histories)]


def histories() -> list[History]:
    """What the stream keeps of everybody after all of it."""
    dataset = shop()
    states = fold_whole({}, received(*events_of(dataset, 0, len(dataset.interactions))), Bounds()).states
    kept = [states[user_id.encode()] for user_id in dataset.interactions.user_ids]
    return [history_of(state) for state in kept if state is not None]


def cases(log: Interactions) -> Cases:
    """The same people at the same moment, in the place that they were in last."""
    own = [log.take(log.users == user) for user in range(PEOPLE)]
    places = np.arange(PEOPLE, dtype=np.int32) % 2
    return Cases(own, np.arange(PEOPLE), np.full(PEOPLE, NOW_MS), places=places)


def test_a_version_serves_what_evaluation_measures_of_it(folder: Path) -> None:
    model = load_version(folder, CPU).model
    assert model.ranker is not None
    scores = as_served(model.ranker, shop().interactions, nothing_promoted).scores(cases(shop().interactions))
    wanted = [[f"item-{item}" for item in best if item >= 0] for best in top_items(scores.copy()).tolist()]
    served = Shelf(model, LIST).again(histories())
    assert [[item.item_id for item in items] for items in served] == wanted
    mine = [[scores[user, int(item.item_id[5:])] for item in items] for user, items in enumerate(served)]
    assert [[item.score for item in items] for items in served] == [pytest.approx(each, abs=1e-4) for each in mine]


def test_what_is_promoted_is_read_as_it_was_in_training() -> None:
    stored = trained().ranker
    assert stored is not None
    model = replace(trained(), ranker=replace(stored, promotions=True))
    promotions = {"item-30": (Promotion(display=1),), "item-7": (Promotion(place="south", mailer=3),)}
    told = promoting_now(promotions, {each: number for number, each in enumerate(stored.names.item_ids)}, PLACE_OF)
    assert model.ranker is not None
    scores = as_served(model.ranker, shop().interactions, told).scores(cases(shop().interactions))
    shelf = Shelf(model, LIST, promotions=promotions)
    for user, items in enumerate(shelf.again(histories())):
        mine = [scores[user, int(item.item_id[5:])] for item in items]
        assert [item.score for item in items] == pytest.approx(mine, abs=1e-4)
    untold = as_served(stored, shop().interactions, told).scores(cases(shop().interactions))
    assert (untold == as_served(stored, shop().interactions, nothing_promoted).scores(cases(shop().interactions))).all()


def test_who_is_forgotten_is_gone_from_the_tables_at_once_and_after_a_restart(folder: Path) -> None:
    person = int(fingerprints(["user-7"])[0])
    for _ in range(2):  # the version's files are as they were; the topic tells of it again
        stored = load_version(folder, CPU).model.ranker
        assert stored is not None
        live = LiveTables(stored, dict)
        live.redo(NOW_MS)
        assert live.known.number(person) == 7
        live.forget("user-7")
        live.redo(NOW_MS)
        assert live.known.number(person) == NOBODY
        assert 7 not in live.known.tables.people.users.tolist()


def test_what_others_do_now_changes_a_list() -> None:
    model = replace(trained(), ranker=ranker_by("popular_now", shop()))
    shelf, people = Shelf(model, LIST), histories()
    assert shelf.live is not None
    last = shelf.again(people)[0][-1].item_id
    for number in range(200):
        assert shelf.live.observe(f"stranger-{number}", last, "north", NOW_MS - number)
    shelf.live.redo(NOW_MS + 1)
    assert shelf.again(people)[0][0].item_id == last


def test_the_ranker_was_kept_because_it_beats_the_blend() -> None:
    metrics = trained().metrics
    assert metrics["ranker_ndcg10"] > metrics["ranker_blend_ndcg10"] + metrics["ranker_gain_error"]
    assert metrics["ranker_questions"] >= 100


def test_what_a_user_had_says_so_and_everything_else_names_who_spoke_for_it() -> None:
    for user, items in enumerate(Shelf(trained(), LIST).again(histories())):
        for item in items:
            own = item.item_id in {f"item-{user % 20}", f"item-{20 + user % 20}"}
            assert (item.source == "own") == own
            assert (item.reason == "You chose this before") == own
            assert item.source in {"own", "neighbours", "people", "type", "popularity", "place"}


def test_what_is_not_for_sale_or_lies_in_the_cart_is_not_shown() -> None:
    shelf = Shelf(trained(), LIST)
    first, second = (item.item_id for item in shelf.again(histories())[0][:2])
    shelf.index.withdraw([first])
    assert shelf.again(histories())[0][0].item_id == second
    log = shop().interactions
    event = received(*events_of(shop(), len(log) - 1, len(log)))[0].event
    assert event.ts_ms is not None
    carted = interactions_of([(0, int(second[5:]), event.ts_ms)], PEOPLE, ITEMS, Kind.ADD_TO_CART)
    states = fold_whole({}, received(*events_of(dataset_of(carted), 0, 1)), Bounds()).states
    state = states[b"user-0"]
    assert state is not None
    assert second not in [item.item_id for item in shelf.again([history_of(state)])[0]]


def test_a_user_alone_gets_what_a_batch_gets() -> None:
    shelf, people = Shelf(trained(), LIST), histories()
    assert shelf.again(people[:1]) == shelf.again(people)[:1]


def test_a_version_without_a_ranker_makes_no_such_list() -> None:
    lists = Shelf(replace(trained(), ranker=None)).score(histories()[:1])[0]
    assert set(lists) == {"home", "popular", "new"}


def test_a_shop_to_which_nobody_comes_back_gets_no_ranker() -> None:
    dataset = planted_dataset()
    model = planted_model({item.item_id: item.title for item in dataset.catalog}, ENCODER)
    job = TrainingJob(dataset, dataset.interactions, 0, 14.0)
    assert not comes_back(dataset.interactions)
    assert with_ranker(model, job, ENCODER, 0, lambda _line: None) is model


def test_looking_twice_within_a_visit_is_not_coming_back() -> None:
    rows = [(user, user, user * DAY_MS + look) for user in range(5) for look in range(4)]
    assert not comes_back(interactions_of(rows, 5, 5))
    assert comes_back(shop().interactions)


@pytest.mark.parametrize("name", ["ranker.json", "ranker-0.txt", "ranking.safetensors"])
def test_a_damaged_ranker_is_refused_and_the_file_named(folder: Path, name: str) -> None:
    (folder / name).write_bytes((folder / name).read_bytes()[:-1])
    with pytest.raises(ModelVersionError, match=f"{name} is truncated or was changed"):
        load_version(folder, CPU)
    (folder / name).unlink()
    with pytest.raises(ModelVersionError, match=f"{name} is missing"):
        load_version(folder, CPU)


@pytest.mark.parametrize(
    ("task", "kind"), [(Task.NEXT, RankedRecommender), (Task.NEW, ServedList), (None, VersionRecommender)]
)
def test_evaluation_measures_a_versions_ranker_where_it_is_what_is_served(
    folder: Path, task: Task | None, kind: type[object]
) -> None:
    dataset, version = shop(), load_version(folder, CPU)
    context = replace(baseline_context(dataset), encoder_of=lambda _: ENCODER)
    own = OwnModels(dataset, context, Wanted(None, task), (version,), Console(quiet=True))
    assert isinstance(own.fits()[""](RIVERRUN)(0)(dataset.interactions), kind)
