"""RecBole's models learn and score, where the group is installed (uv sync --group recbole)."""

import numpy as np
import pytest

from model_server.evaluation.baselines.registry import BASELINES
from tests.support.model import baseline_context, cases_of, planted_dataset

WALKS = planted_dataset(users=30, items=20)


@pytest.mark.parametrize("name", ["recbole-sasrec", "recbole-gru4rec", "recbole-bert4rec"])
def test_one_of_recboles_learns_and_scores(name: str) -> None:
    pytest.importorskip("recbole.model.sequential_recommender", exc_type=ImportError)
    log = WALKS.interactions
    fitted = BASELINES[name](baseline_context(WALKS))(log)
    histories = [log.take(slice(0, 0)), *(log.take(log.users == user) for user in range(20))]
    scores = fitted.scores(cases_of(histories))
    assert scores.shape == (21, 20)
    assert not scores[0].any()
    for row, history in enumerate(histories):
        scores[row, history.items] = -np.inf
    wanted = [(history.items[-1] + 1) % 20 for history in histories[1:]]
    assert (np.argsort(-scores[1:], axis=1)[:, :5] == np.array(wanted)[:, None]).any(axis=1).mean() > 0.3
