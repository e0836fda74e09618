"""What a replay refuses; what it does is a matter of minutes (tests/integration/test_learning_replay.py)."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.errors import DataError
from model_server.learning.children import Manner
from model_server.learning.judge import Encoding
from model_server.learning.replay import Replay
from tests.support.learner import PACE
from tests.support.model import HashEncoder, planted_dataset


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
