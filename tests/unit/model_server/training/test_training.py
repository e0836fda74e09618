"""Training finds what is there, finds nothing where nothing is, and repeats itself."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from app.contracts.catalog import CatalogItem
from app.data.interactions import Dataset, split_newest
from app.errors import DataError
from app.interests.state import Kind
from model_server.model.members import each_of
from model_server.registry.version import TrainedModel
from model_server.training.execution import Execution
from model_server.training.loop import Progress
from model_server.training.options import TrainingOptions
from model_server.training.precision import Precision
from model_server.training.run import TrainingJob, train_model
from model_server.training.step import learning_rate_share
from model_server.training.validation import split_validation
from tests.support.model import HashEncoder, dataset_of, interactions_of, planted_dataset, tiny_options

CPU = torch.device("cpu")


def trained(
    dataset: Dataset, options: TrainingOptions, holdout: int = 0, progress: list[Progress] | None = None
) -> TrainedModel:
    part = split_newest(dataset.interactions, holdout)
    job = TrainingJob(dataset, part.before, holdout, popularity_half_life_days=14)
    heard: list[Progress] = [] if progress is None else progress
    return train_model(job, HashEncoder(), options, CPU, heard.append)


def test_a_planted_pattern_is_found() -> None:
    model = trained(planted_dataset(), tiny_options(epochs=12))
    assert model.metrics["validation_hr10"] > 0.95
    assert model.metrics["validation_ndcg10"] > 0.8


def test_pure_noise_is_not() -> None:
    model = trained(planted_dataset(noise=True), tiny_options(epochs=6))
    by_chance = 10 / (60 - 8)
    assert model.metrics["validation_hr10"] < by_chance + 0.12


def test_a_seed_repeats_the_weights_and_another_does_not() -> None:
    dataset = planted_dataset(users=20)
    before = torch.random.get_rng_state()
    one, same, other = (trained(dataset, tiny_options(epochs=1, seed=seed)) for seed in (5, 5, 6))
    weights = [model.network.state_dict()["item_ids.weight"] for model in (one, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert torch.equal(torch.random.get_rng_state(), before)


def test_what_is_held_out_leaves_no_trace() -> None:
    dataset = planted_dataset(users=20)
    events = len(dataset.interactions)
    changed = dataset.interactions.items.copy()
    changed[events - 30 :] = 0
    other = replace(dataset, interactions=replace(dataset.interactions, items=changed))
    one, two = (trained(each, tiny_options(epochs=1), holdout=30) for each in (dataset, other))
    assert one.item_ids == two.item_ids
    assert all(torch.equal(one.network.state_dict()[name], weight) for name, weight in two.network.state_dict().items())
    assert one.popularity == two.popularity
    assert one.data.events == events - 30
    assert one.data.last_ts_ms == dataset.interactions.ts_ms[events - 31]


def test_items_that_nobody_touched_get_no_row() -> None:
    rows = [(user, (user + step) % 5, step) for step in range(6) for user in range(8)]
    model = trained(dataset_of(interactions_of(rows, users=8, items=9)), tiny_options(epochs=1))
    assert model.item_ids == tuple(f"item-{index}" for index in range(5))
    assert model.texts.shape == (5, 8)
    assert model.network.config.kinds_seen == (Kind.RATE,)


def test_a_catalog_of_ids_alone_is_learned_without_reading_them() -> None:
    dataset = planted_dataset()
    nameless = tuple(CatalogItem(item_id=item_id, title=item_id) for item_id in dataset.interactions.item_ids)
    encoder = HashEncoder()
    job = TrainingJob(replace(dataset, catalog=nameless), dataset.interactions, 0, popularity_half_life_days=14)
    model = train_model(job, encoder, tiny_options(epochs=12, id_dropout=0.0), CPU, lambda _: None)
    assert encoder.encoded == []
    assert model.network.config.text_dimension == 0
    assert model.texts.shape == (60, 8)
    assert model.metrics["validation_hr10"] > 0.95


def test_progress_goes_from_zero_to_one_and_carries_the_validation() -> None:
    heard: list[Progress] = []
    trained(planted_dataset(users=40), tiny_options(epochs=2), progress=heard)
    done = [progress.done for progress in heard]
    assert done == sorted(done)
    assert done[-1] == 1.0
    assert heard[0].validation is None
    assert heard[-1].validation is not None


def test_training_stops_when_validation_stands_still() -> None:
    model = trained(planted_dataset(noise=True), tiny_options(epochs=50, patience=1))
    assert model.metrics["epochs"] == model.metrics["best_epoch"] + 1 < 50


@pytest.mark.parametrize("rows", [[], [(0, 0, 1), (1, 1, 2)], [(0, 0, 1), (0, 0, 2), (0, 0, 3)]])
def test_too_little_data_says_so(rows: list[tuple[int, int, int]]) -> None:
    with pytest.raises(DataError, match="too little to learn from"):
        trained(dataset_of(interactions_of(rows, users=2, items=2)), tiny_options())


def test_validation_takes_last_events_of_users_who_have_enough() -> None:
    log = interactions_of([(0, 1, 1), (1, 2, 2), (0, 3, 3), (1, 4, 4), (0, 5, 5)], users=2, items=6)
    split = split_validation(log, max_users=10, rng=np.random.default_rng(0))
    assert split.targets.tolist() == [5]
    assert split.training.items.tolist() == [1, 2, 3, 4]
    assert [split.training.items[history].tolist() for history in split.histories] == [[1, 3]]


def test_the_learning_rate_rises_then_falls_to_zero() -> None:
    shares = [learning_rate_share(done, warm_up=0.05) for done in (0.0, 0.025, 0.05, 0.525, 1.0)]
    assert shares == pytest.approx([0.02, 0.5, 1.0, 0.5, 0.0])


def test_a_network_learns_in_bfloat16_too() -> None:
    dataset = planted_dataset()
    job = TrainingJob(dataset, dataset.interactions, 0, 14, Execution(precision=Precision.BFLOAT16))
    model = train_model(job, HashEncoder(), tiny_options(epochs=12), CPU, lambda _: None)
    assert model.metrics["validation_hr10"] > 0.95
    assert all(weight.dtype == torch.float32 for weight in model.network.parameters())


def test_members_are_trained_one_after_the_other_with_seeds_one_apart() -> None:
    dataset, heard = planted_dataset(users=40), list[Progress]()
    job = TrainingJob(dataset, dataset.interactions, 0, 14)
    both = train_model(job, HashEncoder(), tiny_options(epochs=2, seed=5, members=2), CPU, heard.append)
    alone = [trained(dataset, tiny_options(epochs=2, seed=seed)) for seed in (5, 6)]
    assert both.network.config.members == 2
    for member, other in zip(each_of(both.network), alone, strict=True):
        weights = member.state_dict()
        assert all(torch.equal(weights[name], weight) for name, weight in other.network.state_dict().items())
    assert [progress.done for progress in heard] == sorted(progress.done for progress in heard)
    assert heard[-1].done == pytest.approx(1)
    assert {(progress.member, progress.members) for progress in heard} == {(1, 2), (2, 2)}
    assert both.metrics["members"] == 2
