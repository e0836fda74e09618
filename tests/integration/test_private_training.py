"""Private training with the real opacus, where the group is installed (uv sync --group privacy)."""

from pathlib import Path

import numpy as np
import pytest
import torch

from model_server.registry.load import load_version
from model_server.registry.save import save_version
from model_server.training.chosen import with_choices
from model_server.training.chunks import histories_of
from model_server.training.options import PRIVATE
from model_server.training.run import TrainingJob
from tests.support.model import HashEncoder, planted_dataset, tiny_config, tiny_network, tiny_options

pytest.importorskip("opacus", exc_type=ImportError, reason="uv sync --group privacy brings opacus")

from model_server.privacy.budget import Mechanism, budget_for, delta_for, spent
from model_server.privacy.descent import Chance, Material, descend, unknown_chance
from model_server.privacy.run import PrivateTraining

CPU = torch.device("cpu")
WALKS = planted_dataset(users=60, items=20)
JOB = TrainingJob(WALKS, WALKS.interactions, 0, popularity_half_life_days=14)


def known_chance(seed: int) -> Chance:
    return Chance(np.random.default_rng(seed), np.random.default_rng(seed + 1), torch.Generator().manual_seed(seed))


def training(job: TrainingJob = JOB, **changes: float) -> PrivateTraining:
    sizes = {"dimension": 16, "hidden": 16, "max_length": 8, "batch_sequences": 30, "epochs": 3}
    texts = torch.from_numpy(HashEncoder().encode([item.title or "" for item in WALKS.catalog]))
    return PrivateTraining(job, with_choices(PRIVATE, {"epsilon": 4.0, **sizes, **changes}), texts, "hash-1")


def test_the_noise_of_a_budget_is_the_least_that_keeps_it() -> None:
    budget = budget_for(3.0, delta_for(1_000), 0.25, 60)
    both = (budget.popularity, budget.gradients)
    assert budget.epsilon == spent(both, budget.delta) <= 3.0
    less = Mechanism(budget.gradients.noise * 0.98, 0.25, 60)
    assert spent((budget.popularity, less), budget.delta) > 3.0
    assert spent((Mechanism(1.0),), 1e-5) == pytest.approx(4.38, abs=0.02)  # Balle and Wang, arXiv:1805.06530


@pytest.mark.parametrize("epsilon", [0.5, 50.0])
def test_budgets_far_from_common_ones_are_found(epsilon: float) -> None:
    assert epsilon * 0.9 < budget_for(epsilon, 1e-4, 0.5, 10).epsilon <= epsilon


def test_a_private_version_is_learned_saved_and_loaded(tmp_path: Path) -> None:
    model = training().run(known_chance(0), lambda _: None)
    assert model.metrics["private_epsilon"] <= 4.0
    assert model.item_ids == tuple(item.item_id for item in WALKS.catalog)
    assert not model.hybrid.covisitation.counts.any()
    assert not len(model.hybrid.neighbours.neighbours)
    assert set(model.popularity.weights) == set(model.item_ids)
    assert not any("validation" in name for name in model.metrics)
    version = load_version(save_version(tmp_path, model, now_ms=1), CPU)
    assert version.model.metrics == model.metrics
    card = (version.folder / "MODEL_CARD.md").read_text()
    assert "differential privacy of every one of 60 people" in " ".join(card.split())
    assert "Validation" not in card


def of_an_unseen_kind(noise: torch.Generator) -> torch.Tensor:
    """Weights that nobody's data touched, so of noise alone."""
    chance = Chance(np.random.default_rng(0), np.random.default_rng(1), noise)
    rows: torch.Tensor = training(epochs=1).run(chance, lambda _: None).network.state_dict()["kinds.weight"][-1]
    return rows


def test_noise_is_of_a_generator_that_the_seed_says_nothing_of() -> None:
    same, again = (of_an_unseen_kind(torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(same, again)
    assert not torch.equal(same, of_an_unseen_kind(unknown_chance(CPU).noise))


def test_on_a_cpu_too_the_noise_has_more_states_than_can_be_tried() -> None:
    one, other = (unknown_chance(CPU).noise for _ in range(2))
    assert not torch.equal(one.get_state(), other.get_state())
    assert not torch.equal(one.get_state(), torch.Generator().manual_seed(one.initial_seed()).get_state())
    draws = torch.randn(100_000, generator=one)
    assert abs(float(draws.mean())) < 0.02
    assert float(draws.std()) == pytest.approx(1.0, abs=0.02)


def last_loss(noise: float) -> float:
    network = tiny_network(config=tiny_config(items=20, text_dimension=0))
    losses: list[float] = []
    material = Material(torch.zeros(20, 0), histories_of(WALKS.interactions))
    options = tiny_options(clip_norm=1.0, max_length=8)
    mechanism = Mechanism(noise, 0.5, 60)
    descend(network, material, options, mechanism, known_chance(0), lambda _, loss: losses.append(loss))
    assert all(bool(weight.isfinite().all()) for weight in network.parameters())
    return sum(losses[-5:]) / 5


def test_without_noise_it_learns_what_was_planted_and_noise_drowns_it() -> None:
    assert last_loss(0.0) < 0.6 * last_loss(1_000.0)
