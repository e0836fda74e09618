"""Two versions: what changed between them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from app.errors import ModelVersionError
from model_server.drift.reference import reference_of
from model_server.drift.versions import churn, compared
from model_server.registry.load import load_version
from model_server.registry.save import save_version
from model_server.registry.version import ModelVersion
from tests.support.model import planted_dataset
from tests.unit.model_server.registry.test_version import NOW_MS, a_model

CPU = torch.device("cpu")
UNIT = torch.nn.functional.normalize


def vectors(items: int, seed: int) -> torch.Tensor:
    return UNIT(torch.from_numpy(np.random.default_rng(seed).normal(size=(items, 16)).astype(np.float32)), dim=1)


def test_a_turned_space_has_the_same_neighbours() -> None:
    before = vectors(300, 1)
    turn = torch.linalg.qr(torch.from_numpy(np.random.default_rng(2).normal(size=(16, 16)))).Q.float()
    assert churn(before, before @ turn, seed=0).max() < 0.11  # ties of float32 at most
    assert churn(before, before @ turn, seed=0).mean() < 0.001


def test_another_space_has_others() -> None:
    changed = churn(vectors(300, 1), vectors(300, 2), seed=0)
    assert len(changed) == 300
    assert changed.mean() > 0.9


def test_of_half_the_items_moved_about_half_the_neighbours_are_others() -> None:
    before, after = vectors(400, 1), vectors(400, 1)
    after[::2] = vectors(200, 3)
    assert 0.3 < churn(before, after, seed=0)[1::2].mean() < 0.7


def test_of_too_few_items_nothing_is_said() -> None:
    assert len(churn(vectors(10, 1), vectors(10, 1), seed=0)) == 0


def saved(folder: Path, seed: int, users: int) -> ModelVersion:
    """A version whose events are of so many users."""
    log, model = planted_dataset(users=users).interactions, a_model(seed)
    reference = reference_of(log, half_life_days=30)
    return load_version(save_version(folder, replace(model, reference=reference), NOW_MS + seed * 1_000), CPU)


def test_what_a_version_says_of_its_events_is_kept_and_compared(tmp_path: Path) -> None:
    before, after = saved(tmp_path, 1, users=40), saved(tmp_path, 2, users=80)
    assert before.model.reference is not None
    assert sum(before.model.reference.kinds) == 360
    found = compared(before, after)
    assert found.psi.keys() == {"kinds", "hours", "items", "activity"}
    assert max(found.psi.values()) < 0.1
    assert found.figures["items"].before == len(before.model.item_ids)
    (before.folder / "drift.json").write_text("{}")
    with pytest.raises(ModelVersionError, match=r"drift\.json is truncated or was changed"):
        load_version(before.folder, CPU)
