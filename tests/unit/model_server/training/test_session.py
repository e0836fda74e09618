"""What a run of `riverrun train` does before it trains."""

import json
from pathlib import Path

import pytest

from app.data.source import DataSource
from app.errors import DataError
from app.settings import Settings
from model_server.training.session import TrainingRequest, run_training


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
