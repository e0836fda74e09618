"""What is asked for with `--private`, and what is refused."""

import sys

import pytest
import torch

from app.errors import SettingsError
from model_server.privacy.budget import budget_for, delta_for
from model_server.privacy.run import train_as_wanted
from model_server.training.chosen import with_choices
from model_server.training.execution import Execution
from model_server.training.options import PRIVATE, SPARSE, TrainingOptions
from model_server.training.run import TrainingJob
from tests.support.model import HashEncoder, planted_dataset

CPU = torch.device("cpu")


def wanted(options: TrainingOptions) -> None:
    dataset = planted_dataset(users=4)
    job = TrainingJob(dataset, dataset.interactions, 0, 14, Execution())
    train_as_wanted(job, HashEncoder(), options, CPU, lambda _: None)


def test_the_recipe_does_not_follow_the_data() -> None:
    for suited in (TrainingOptions(), SPARSE):
        options = with_choices(suited, {"epsilon": 3.0, "epochs": 2})
        assert options == with_choices(PRIVATE, {"epsilon": 3.0, "epochs": 2})
        assert with_choices(suited, {"epsilon": None}) == suited


@pytest.mark.parametrize(
    "changes",
    [
        {"members": 2},
        {"epsilon": 0.0},
        {"epsilon": -1.0},
        {"epsilon": float("nan")},
        {"epsilon": float("inf")},
        {"delta": 0.0},
        {"delta": 2.0},
    ],
)
def test_what_cannot_be_kept_is_refused(changes: dict[str, float]) -> None:
    with pytest.raises(SettingsError):
        wanted(with_choices(PRIVATE, {"epsilon": 3.0, **changes}))


def test_without_the_group_the_command_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("opacus", "opacus.accountants"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SettingsError, match="uv sync --group privacy"):
        budget_for(3.0, delta_for(100), 0.5, 10)


def test_delta_is_less_than_one_in_so_many_people() -> None:
    assert 0 < delta_for(1_000) < 1 / 1_000
    assert delta_for(1) < 1
