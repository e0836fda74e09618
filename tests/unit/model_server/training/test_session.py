"""What a run of `riverrun train` does before it trains."""

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import torch

from app.data.source import DataSource
from app.errors import DataError
from app.settings import Settings
from model_server.registry.save import save_version
from model_server.training.earlier import TrainedOn, trained_before
from model_server.training.session import TrainingRequest, run_training
from tests.support.planted import WordEncoder, planted_model


def request(models_dir: Path) -> TrainingRequest:
    """Data that is not there: whoever looks at it fails."""
    return TrainingRequest(
        source=DataSource(data="nowhere.csv"), holdout_events=0, choices={}, threads=1,
        models_dir=models_dir, reuse=False, if_none=True, as_json=True,
    )  # fmt: skip


def test_where_there_is_a_version_nothing_is_trained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("20261122-130501-ab12cd", "20261123-090000-00ff00"):
        (tmp_path / name).mkdir()
    assert run_training(request(tmp_path), Settings()).name == "20261123-090000-00ff00"
    assert json.loads(capsys.readouterr().out)["version"] == "20261123-090000-00ff00"


def test_a_version_that_was_never_finished_is_none(tmp_path: Path) -> None:
    (tmp_path / ".incomplete").mkdir()
    with pytest.raises(DataError, match=r"nowhere\.csv"):
        run_training(request(tmp_path), Settings())


def test_a_private_version_stands_for_private_ones_of_its_epsilon_only(tmp_path: Path) -> None:
    model = planted_model({"a": "one", "b": "two"}, WordEncoder())
    model = replace(model, data=msgspec.structs.replace(model.data, options={"epsilon": 3.0}))
    save_version(tmp_path, model, now_ms=1)

    def found(epsilon: float | None, delta: float | None = None) -> bool:
        wanted = TrainedOn(model.data.sha256, model.data.held_out_events, model.text_encoder, epsilon, delta)
        return trained_before(tmp_path, wanted, torch.device("cpu"), lambda _: None) is not None

    assert found(3.0)
    assert not found(None)
    assert not found(8.0)
    assert not found(3.0, delta=1e-9)
