"""The protocols show a recommender the past and nothing else."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from app.data.interactions import Interactions
from model_server.evaluation.baselines.popularity import DecayedPopularity
from model_server.evaluation.cases import Cases, Recommender
from model_server.evaluation.protocols import leave_one_out, stream
from model_server.evaluation.recommender import Surroundings, riverrun
from model_server.training.run import TrainingJob, train_model
from tests.support.model import HashEncoder, cases_of, interactions_of, planted_dataset, tiny_options

LOG = interactions_of([(0, 1, 1), (1, 2, 1), (0, 3, 2), (1, 3, 3), (0, 4, 4), (2, 0, 5)], users=3, items=6)


def ignore(_done: int, _total: int) -> None:
    """No progress."""


class Watcher:
    """Writes down what it is shown; scores item n + 1 after item n highest."""

    def __init__(self, training: Interactions, *, online: bool) -> None:
        self.online = online
        self.known = len(training)
        self.asked: list[tuple[list[int], int]] = []

    def scores(self, cases: Cases) -> NDArray[np.floating]:
        scores = np.zeros((len(cases), 6))
        for row, history in enumerate(cases.histories):
            self.asked.append((history.items.tolist(), self.known))
            scores[row, (history.items[-1] + 1) % 6 if len(history) else 0] = 1.0
        return scores

    def observe(self, events: Interactions) -> None:
        self.known += len(events)


def test_leave_one_out_predicts_last_events_from_what_came_before() -> None:
    made: list[Watcher] = []

    def fit(training: Interactions) -> Watcher:
        assert training.items.tolist() == [1, 2, 3]
        made.append(Watcher(training, online=False))
        return made[0]

    result = leave_one_out(LOG, fit, ignore)
    assert [history for history, _ in made[0].asked] == [[1, 3], [2]]
    assert result.metrics.cases == 2
    assert result.metrics.ndcg10 == 1.0


@pytest.mark.parametrize("online", [True, False])
def test_stream_predicts_each_event_from_the_state_just_before_it(online: bool) -> None:
    made: list[Watcher] = []

    def fit(training: Interactions) -> Watcher:
        assert training.items.tolist() == [1, 2]
        made.append(Watcher(training, online=online))
        return made[0]

    result = stream(LOG, 2, fit, ignore)
    assert [history for history, _ in made[0].asked] == [[1], [2], [1, 3], []]
    # One that learns as it goes knows exactly the events before; another is never ahead of them.
    assert [known for _, known in made[0].asked] == ([2, 3, 4, 5] if online else [2, 2, 2, 2])
    assert result.metrics.cases == 4


def test_seen_items_are_not_recommended_again() -> None:
    class Stubborn(Watcher):
        def scores(self, cases: Cases) -> NDArray[np.floating]:
            return np.array([[9.0, 8.0, 7.0, 6.0, 5.0, 0.0]] * len(cases))

    log = interactions_of([(0, item, item) for item in (0, 1, 2, 3, 4)], users=1, items=6)
    result = leave_one_out(log, lambda training: Stubborn(training, online=False), ignore)
    assert result.metrics.mrr10 == 1.0


def test_the_trained_network_finds_the_planted_pattern_in_a_stream() -> None:
    dataset = planted_dataset(users=60, items=30)
    cut = int(len(dataset.interactions) * 0.7)
    encoder = HashEncoder()

    def fit(part: Interactions) -> Recommender:
        job = TrainingJob(dataset, part, len(dataset.interactions) - len(part), 14)
        model = train_model(job, encoder, tiny_options(epochs=12), torch.device("cpu"), lambda _: None)
        return riverrun(model, Surroundings(dataset.catalog, encoder, 14), part)

    assert stream(dataset.interactions, cut, fit, ignore).metrics.hr10 > 0.9


def test_a_user_of_whom_nothing_is_known_gets_popularity() -> None:
    dataset = planted_dataset(users=20, items=30)
    encoder = HashEncoder()
    job = TrainingJob(dataset, dataset.interactions, 0, 14)
    model = train_model(job, encoder, tiny_options(epochs=1), torch.device("cpu"), lambda _: None)
    popularity = DecayedPopularity(30, 14)
    popularity.observe(dataset.interactions)
    recommender = riverrun(model, Surroundings(dataset.catalog, encoder, 14), dataset.interactions)
    nobody, somebody = dataset.interactions.take(slice(0, 0)), dataset.interactions.take(slice(0, 1))
    mixed = recommender.scores(cases_of([nobody, somebody]))
    assert np.array_equal(mixed[0].argsort(), popularity.scores(cases_of([nobody]))[0].argsort())
    assert np.allclose(mixed[1], recommender.scores(cases_of([somebody]))[0], atol=1e-4)
    assert recommender.scores(cases_of([nobody])).shape == (1, 30)
