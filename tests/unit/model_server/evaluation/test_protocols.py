"""The protocols show a recommender the past and nothing else."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from app.data.interactions import Interactions
from model_server.evaluation.asking import AS_IT_IS, ask, unchanged
from model_server.evaluation.baselines.popularity import DecayedPopularity
from model_server.evaluation.facts import item_facts
from model_server.evaluation.live_version import Surroundings
from model_server.evaluation.protocols import StreamOptions, leave_one_out, stream
from model_server.evaluation.recommender import riverrun
from model_server.evaluation.tally import Answers
from model_server.judging.cases import Cases, Recommender
from model_server.judging.questions import Plan
from model_server.training.run import TrainingJob, train_model
from tests.support.model import HashEncoder, cases_of, dataset_of, interactions_of, planted_dataset, tiny_options

LOG = interactions_of([(0, 1, 1), (1, 2, 1), (0, 3, 2), (1, 3, 3), (0, 4, 4), (2, 0, 5)], users=3, items=6)


def ignore(_done: int, _total: int) -> None:
    """No progress."""


class Watcher:
    """Writes down what it is shown; scores item n + 1 after item n highest."""

    def __init__(self, training: Interactions, *, online: bool) -> None:
        self.online = online
        self.known = len(training)
        self.asked: list[tuple[list[int], int]] = []
        self.questions = 0

    def scores(self, cases: Cases) -> NDArray[np.floating]:
        self.questions += 1
        scores = np.zeros((len(cases), 6))
        for row, history in enumerate(cases.histories):
            self.asked.append((history.items.tolist(), self.known))
            scores[row, (history.items[-1] + 1) % 6 if len(history) else 0] = 1.0
        return scores

    def observe(self, events: Interactions) -> None:
        self.known += len(events)


def answers_of(plan: Plan, recommender: Recommender, log: Interactions) -> Answers:
    facts = item_facts(dataset_of(log).catalog, plan.training)
    return ask(plan, recommender, facts, {AS_IT_IS: unchanged}, ignore)[AS_IT_IS]


def test_leave_one_out_predicts_last_events_from_what_came_before() -> None:
    plan = leave_one_out(LOG)
    assert plan.training.items.tolist() == [1, 2, 3]
    watcher = Watcher(plan.training, online=True)
    answers = answers_of(plan, watcher, LOG)
    assert [history for history, _ in watcher.asked] == [[1, 3], [2]]
    assert watcher.questions == 1  # nothing happens between them
    assert answers.users.tolist() == [0, 1]
    assert answers.metrics.ndcg10.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("online", [True, False])
def test_stream_predicts_each_event_from_the_state_just_before_it(online: bool) -> None:
    plan = stream(LOG, StreamOptions(cut=2))
    assert plan.training.items.tolist() == [1, 2]
    watcher = Watcher(plan.training, online=online)
    answers = answers_of(plan, watcher, LOG)
    assert [history for history, _ in watcher.asked] == [[1], [2], [1, 3], []]
    # One that learns as it goes knows exactly the events before; another is never ahead of them.
    assert [known for _, known in watcher.asked] == ([2, 3, 4, 5] if online else [2, 2, 2, 2])
    assert len(answers) == plan.cases == 4
    assert watcher.known == len(LOG)


def test_a_share_of_a_stream_is_asked_and_all_of_it_is_observed() -> None:
    log = planted_dataset(users=30, items=6, length=6).interactions
    plan = stream(log, StreamOptions(cut=20, share=0.1, seed=3))
    watcher = Watcher(plan.training, online=True)
    answers = answers_of(plan, watcher, log)
    assert len(answers) == plan.cases == 16
    assert watcher.known == len(log)
    known = [known for _, known in watcher.asked]
    asked = [int(user) for user in log.users[known]]  # the event that comes next is the one that was asked about
    assert asked == answers.users.tolist()


@pytest.mark.parametrize(("repeats", "first"), [(False, 5), (True, 0)])
def test_seen_items_are_recommended_again_only_where_people_take_them_again(repeats: bool, first: int) -> None:
    class Stubborn(Watcher):
        def scores(self, cases: Cases) -> NDArray[np.floating]:
            return np.array([[9.0, 8.0, 7.0, 6.0, 5.0, 0.0]] * len(cases))

    log = interactions_of([(0, item, item) for item in (0, 1, 2, 3, 4, 5)], users=1, items=6)
    plan = leave_one_out(log, repeats=repeats)
    answers = answers_of(plan, Stubborn(plan.training, online=False), log)
    assert answers.lists[0, 0] == first


def test_the_trained_network_finds_the_planted_pattern_in_a_stream() -> None:
    dataset = planted_dataset(users=60, items=30)
    log = dataset.interactions
    plan = stream(log, StreamOptions(cut=int(len(log) * 0.7)))
    encoder = HashEncoder()
    job = TrainingJob(dataset, plan.training, len(log) - len(plan.training), 14)
    model = train_model(job, encoder, tiny_options(epochs=12), torch.device("cpu"), lambda _: None)
    answers = answers_of(plan, riverrun(model, Surroundings(dataset.catalog, encoder, 14), plan.training), log)
    assert answers.metrics.hr10.mean() > 0.9


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
