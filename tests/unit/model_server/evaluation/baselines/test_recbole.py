"""What to do where RecBole is not installed."""

import sys

import pytest

from app.errors import SettingsError
from model_server.evaluation.baselines.registry import BASELINES
from tests.support.model import baseline_context, planted_dataset


@pytest.mark.parametrize("name", ["recbole-sasrec", "recbole-gru4rec", "recbole-bert4rec"])
def test_without_the_group_the_command_is_said(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("recbole.model.sequential_recommender", "recbole"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SettingsError, match="uv sync --group recbole"):
        BASELINES[name](baseline_context(planted_dataset(users=2, items=9)))
