"""What a replay refuses and compares; the whole takes minutes (tests/integration/test_learning_replay.py)."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from app.errors import DataError
from model_server.learning.children import Manner
from model_server.learning.judge import Encoding
from model_server.learning.replay import Period, Replay, compared
from model_server.registry.version import TrainedModel
from model_server.training.run import TrainingJob, train_model
from tests.support.learner import PACE
from tests.support.model import HashEncoder, planted_dataset, tiny_options


@pytest.mark.parametrize("after_events", [0, 600])
async def test_the_first_version_must_be_trained_on_the_past_alone(tmp_path: Path, after_events: int) -> None:
    replay = Replay(
        dataset=planted_dataset(),
        past=500,
        pace=replace(PACE, after_events=after_events),
        folder=tmp_path,
        manner=Manner(tmp_path / "models", options=None, encoder=None, threads=1, niceness=0),
        poison_seed=None,
        clock_ms=lambda: 0,
    )
    with pytest.raises(DataError, match="500 events of past"):
        await replay.run(Encoding(lambda _tuned: HashEncoder(), 14))


@pytest.mark.parametrize("last", [800, 1_080])
def test_every_champion_is_asked_about_its_own_period_also_one_that_took_over_at_the_end(last: int) -> None:
    dataset, asked = planted_dataset(), list[str]()
    job = TrainingJob(dataset, dataset.interactions, 0, 14)
    model = train_model(job, HashEncoder(), tiny_options(epochs=1), torch.device("cpu"), lambda _: None)

    def model_of(period: Period) -> TrainedModel:
        asked.append(period.version)
        return model

    periods = [Period("a", 500), Period("b", 600), Period("c", last)]
    figures = compared(dataset, 500, periods, model_of, Encoding(lambda _tuned: HashEncoder(), 14))
    assert (figures.events, figures.champion) == (580, figures.challenger)
    assert asked == (["a", "b"] if last == len(dataset.interactions) else ["a", "b", "c"])
