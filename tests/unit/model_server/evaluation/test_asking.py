"""What a recommender is told, and what stays as it is."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from app.data.interactions import Interactions
from model_server.evaluation.asking import AS_IT_IS, ask, unchanged
from model_server.evaluation.facts import item_facts
from model_server.evaluation.predictions import rating_errors
from model_server.evaluation.protocols import StreamOptions, stream
from model_server.evaluation.staleness import Lag, late
from model_server.judging.cases import Cases
from tests.support.model import dataset_of, interactions_of

LOG = interactions_of([(0, item, item) for item in range(6)], users=1, items=9)


class Follower:
    """Takes item n to be followed by n + 1, n + 2 and so on, and everything for worth three stars."""

    online = False

    def scores(self, cases: Cases) -> NDArray[np.floating]:
        newest = np.array([history.items[-1] if len(history) else -1 for history in cases.histories])
        distances: NDArray[np.float64] = ((np.arange(9) - newest[:, None] - 1) % 9).astype(np.float64)
        return -distances

    def ratings(self, cases: Cases, items: NDArray[np.int32]) -> NDArray[np.float32]:
        assert len(items) == len(cases)
        return np.full(len(items), 3, np.float32)

    def observe(self, events: Interactions) -> None:
        """Nothing is learned."""


def test_a_late_state_is_all_that_changes() -> None:
    plan = stream(LOG, StreamOptions(cut=3))
    forms = {AS_IT_IS: unchanged, "late": lambda cases: late(cases, Lag(events=2))}
    answers = ask(plan, Follower(), item_facts(dataset_of(LOG).catalog, plan.training), forms, lambda *_: None)
    assert answers[AS_IT_IS].lists[:, 0].tolist() == [3, 4, 5]
    # Two events late it would say 1, 2, 3, which the user has had: that stays hidden, and so the next ones are said.
    assert answers["late"].lists[:, 0].tolist() == [3, 4, 5]
    assert answers["late"].history_lengths.tolist() == answers[AS_IT_IS].history_lengths.tolist() == [3, 4, 5]


def test_stars_are_asked_of_whoever_predicts_them() -> None:
    rated = replace(LOG, ratings=np.full(len(LOG), 5, np.float32))
    plan = stream(rated, StreamOptions(cut=3))
    facts = item_facts(dataset_of(LOG).catalog, plan.training)
    answers = ask(plan, Follower(), facts, {AS_IT_IS: unchanged}, lambda *_: None)[AS_IT_IS]
    assert rating_errors(answers) == {"mae": 2.0, "rmse": 2.0}
