"""What people take together is learned, what is chance is not, and a kill changes nothing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from app.contracts.catalog import CatalogItem
from app.data.interactions import Dataset
from app.interests.state import Kind
from model_server.finetuning.findings import measured_cold, measured_queries
from model_server.finetuning.layers import LowerStates, UpperLayers, lower_states
from model_server.finetuning.loop import Finetuned, OnProgress, Progress, finetune
from model_server.finetuning.material import Material, make_material
from model_server.finetuning.options import FinetuningOptions
from model_server.text.minilm import MiniLm, pretrained_bert
from model_server.training.checkpoint import Checkpoints
from tests.support.model import interactions_of
from tests.support.tiny_bert import write_tiny_bert

CPU = torch.device("cpu")
TASTES = ("tea", "garden", "piano", "sailing")
COLOURS = tuple(f"{one}{two}ish" for one in "abcde" for two in "mnopq")
MAKERS = tuple(f"maker{letter}" for letter in "abcdefgh")
OPTIONS = FinetuningOptions(
    layers=1, items=200, queries=100, pairs=24, hard=8, steps=60, round_steps=20, learning_rate=3e-3, cold_share=0.2
)


def shop(*, tastes: bool) -> Dataset:
    """160 things, whose taste is one word among others; everybody takes things of one taste, or just anything."""
    rng = np.random.default_rng(3)
    taste_of = np.arange(160) % len(TASTES)
    catalog = tuple(
        CatalogItem(
            item_id=f"item-{item}",
            title=f"{rng.choice(COLOURS)} {TASTES[taste_of[item]]} {rng.choice(COLOURS)}",
            brand=str(rng.choice(MAKERS)),
        )
        for item in range(160)
    )
    rows = []
    for user in range(120):
        liked = np.flatnonzero(taste_of == user % len(TASTES)) if tastes else np.arange(160)
        rows += [(user, int(item), step) for step, item in enumerate(rng.permutation(liked)[:15])]
    log = interactions_of(sorted(rows, key=lambda row: row[2]), users=120, items=160)
    return Dataset("shop", log, catalog, "sha256 of the shop")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bert(tmp_path_factory.mktemp("bert") / "tiny", [*TASTES, *COLOURS, *MAKERS])


def material_of(dataset: Dataset) -> Material:
    return make_material(dataset.interactions, dataset.catalog, OPTIONS, np.random.default_rng(0))


def trained(
    folder: Path,
    material: Material,
    on_progress: OnProgress = lambda _: None,
    checkpoints: Checkpoints | None = None,
) -> Finetuned:
    lower = lower_states(folder, material.texts, OPTIONS.layers, CPU, lambda _done, _all: None)
    return finetune(folder, material, lower, OPTIONS, on_progress, checkpoints)


def test_who_shares_a_taste_finds_held_out_things_of_it(folder: Path) -> None:
    material = material_of(shop(tastes=True))
    tuned = trained(folder, material)
    found = measured_cold(material, tuned, seed=0)
    assert tuned.best_round > 0
    assert found.low > 0.01
    assert measured_queries(material, tuned, seed=0).cases > 10


def test_where_people_take_anything_no_gain_is_found(folder: Path) -> None:
    material = material_of(shop(tastes=False))
    assert measured_cold(material, trained(folder, material), seed=0).low <= 0


def test_what_people_turn_down_together_is_not_learned() -> None:
    dataset = shop(tastes=True)
    log = dataset.interactions
    disliked = replace(log, kinds=np.full_like(log.kinds, Kind.DISLIKE))
    material = make_material(disliked, dataset.catalog, OPTIONS, np.random.default_rng(0))
    assert not material.batches.learnable
    assert not len(material.cold)


def test_upper_layers_on_kept_lower_ones_say_what_the_whole_encoder_says(folder: Path) -> None:
    texts = ["tea", "garden piano makera tea sailing", "piano tea"]
    whole = MiniLm(folder, "tiny", CPU)
    lower = lower_states(folder, texts, 1, CPU, lambda _done, _all: None)
    assert len(lower) == 3
    said = UpperLayers(folder, 1).encode(lower, np.array([2, 0, 1])).numpy()
    wanted = whole.encode([texts[2], texts[0], texts[1]])
    assert np.allclose(said, wanted, atol=0.03)  # bfloat16


def test_changed_layers_are_what_the_whole_encoder_reads_with(folder: Path) -> None:
    upper = UpperLayers(folder, 1)
    with torch.no_grad():
        for weight in upper.parameters():
            weight.add_(torch.linspace(-1, 1, weight.shape[-1]))
    lower = lower_states(folder, ["tea piano"], 1, CPU, lambda _done, _all: None)
    before, after = (MiniLm(folder, "tiny", CPU, changed).encode(["tea piano"]) for changed in ({}, upper.weights()))
    assert np.allclose(upper.encode(lower, np.array([0])).numpy(), after, atol=0.03)
    assert not np.allclose(after, before, atol=0.05)
    with pytest.raises(RuntimeError, match="size mismatch"):
        pretrained_bert(folder, CPU, {name: weight[..., :1] for name, weight in upper.weights().items()})


class KilledError(Exception):
    """Stands for the power cut."""


def test_what_was_killed_ends_bit_for_bit_as_what_was_not(folder: Path, tmp_path: Path) -> None:
    material = material_of(shop(tastes=True))
    undisturbed = trained(folder, material)

    def killed(progress: Progress) -> None:
        if progress.done == OPTIONS.round_steps + 5:
            raise KilledError

    with pytest.raises(KilledError):
        trained(folder, material, killed, Checkpoints(tmp_path / "mine", every_s=0))
    heard: list[Progress] = []
    resumed = trained(folder, material, heard.append, Checkpoints(tmp_path / "mine", every_s=0))
    assert heard[0].done == OPTIONS.round_steps + 1
    assert resumed.best_round == undisturbed.best_round
    assert all(torch.equal(resumed.weights[name], weight) for name, weight in undisturbed.weights.items())


def test_lower_states_are_padded_by_the_longest(folder: Path) -> None:
    lower: LowerStates = lower_states(folder, ["tea", "tea piano"], 1, CPU, lambda _done, _all: None)
    states, real = lower.padded(np.array([0, 1]))
    assert states.shape == (2, 2, 32)
    assert real.tolist() == [[True, False], [True, True]]
    assert not states[0, 1].any()
