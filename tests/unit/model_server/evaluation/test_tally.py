"""What the tally takes, closes and keeps."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from model_server.evaluation.facts import ItemFacts, item_facts
from model_server.evaluation.tally import Answers, Tally, cases_at_once
from model_server.judging.questions import Question
from tests.support.model import cases_of, dataset_of, interactions_of

LOG = interactions_of([(0, 1, 1), (0, 2, 2), (1, 0, 3)], users=2, items=5)
NOBODY = LOG.take(slice(0, 0))
SCORES = np.array([[5.0, 4.0, 3.0, 2.0, 1.0]])


def facts() -> ItemFacts:
    return item_facts(dataset_of(LOG).catalog, LOG)


def items(*each: int) -> NDArray[np.int32]:
    return np.array(each, dtype=np.int32)


def asked(
    relevant: Sequence[int],
    hidden: Sequence[int] | None = None,
    allowed: Sequence[int] | None = None,
) -> Question:
    return Question(
        cases=cases_of([NOBODY]),
        relevant=[items(*relevant)],
        hidden=None if hidden is None else [items(*hidden)],
        allowed=None if allowed is None else [items(*allowed)],
    )


def answers_to(*questions: Question) -> Answers:
    tally = Tally(facts())
    for question in questions:
        tally.add(question, SCORES.copy())
    return tally.answers()


def test_what_is_hidden_makes_way() -> None:
    answers = answers_to(asked([2], hidden=[0, 1]))
    assert answers.lists[0, :4].tolist() == [2, 3, 4, -1]
    assert answers.metrics.mrr10.tolist() == [1.0]


def test_only_what_is_allowed_is_shown_and_a_relevant_item_that_is_not_counts_as_missed() -> None:
    answers = answers_to(asked([4, 0], allowed=[1, 4]))
    assert answers.lists[0, :3].tolist() == [1, 4, -1]
    assert answers.metrics.recall10.tolist() == [0.5]
    assert answers.metrics.mrr10.tolist() == [0.5]


def test_questions_of_different_kinds_may_follow_one_another() -> None:
    answers = answers_to(asked([0]), asked([1, 2], hidden=[0]), asked([4], allowed=[4]))
    assert len(answers) == 3
    assert answers.metrics.ndcg10.tolist() == [1.0, 1.0, 1.0]


def test_adding_in_pieces_is_adding_at_once() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(600, 5))
    relevant = [items(int(item)) for item in rng.integers(5, size=600)]
    cases = cases_of([LOG] * 600)
    whole, pieces = Tally(facts()), Tally(facts())
    whole.add(Question(cases, relevant), scores.copy())
    for row in range(600):
        pieces.add(Question(cases_of([LOG]), [relevant[row]]), scores[row : row + 1].copy())
    assert np.array_equal(whole.answers().lists, pieces.answers().lists)
    assert np.array_equal(whole.answers().metrics.ndcg10, pieces.answers().metrics.ndcg10)
    assert np.allclose(whole.answers().standing, pieces.answers().standing)


def test_standing_is_in_standard_deviations() -> None:
    answers = answers_to(asked([0]), asked([2]))
    assert answers.standing.tolist() == pytest.approx([2 / np.sqrt(2), 0.0])


def test_scores_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        Tally(facts()).add(asked([0]), np.zeros((1, 4)))


def test_nothing_asked_is_no_answers() -> None:
    assert len(Tally(facts()).answers()) == 0


def test_memory_is_bounded_whatever_the_catalog() -> None:
    assert cases_at_once(100) == 256
    assert cases_at_once(1_000_000) == 4
    assert cases_at_once(100_000_000) == 1
