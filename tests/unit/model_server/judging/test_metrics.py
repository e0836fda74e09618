"""Metrics against numbers made by hand."""

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from model_server.judging.metrics import case_metrics, ranking_metrics, relevant_ranks, target_ranks, top_items


def test_ranks_count_from_one() -> None:
    scores = np.array([[0.1, 0.9, 0.5], [0.1, 0.9, 0.5], [0.1, 0.9, 0.5]])
    assert target_ranks(scores, np.array([1, 2, 0])).tolist() == [1, 2, 3]


def test_ties_share_their_average_rank() -> None:
    scores = np.array([[1.0, 1.0, 1.0, 0.0], [2.0, 1.0, 1.0, 0.0]])
    assert target_ranks(scores, np.array([0, 1])).tolist() == [2.0, 2.5]


def test_scoring_everything_alike_earns_nothing() -> None:
    ranks = target_ranks(np.zeros((5, 1_000)), np.arange(5))
    assert ranking_metrics(ranks).hr10 == 0.0


def test_an_item_that_must_not_be_shown_is_never_a_hit() -> None:
    scores = np.array([[-np.inf, 1.0], [-np.inf, -np.inf]])
    assert target_ranks(scores, np.array([0, 0])).tolist() == [np.inf, np.inf]


def test_a_score_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        target_ranks(np.array([[np.nan, 1.0]]), np.array([0]))


def test_means_over_the_cases() -> None:
    metrics = ranking_metrics(np.array([1.0, 3.0, 10.0, 11.0, np.inf]))
    assert metrics.cases == 5
    assert metrics.hr10 == pytest.approx(3 / 5)
    assert metrics.ndcg10 == pytest.approx((1 + 1 / 2 + 1 / np.log2(11)) / 5)
    assert metrics.mrr10 == pytest.approx((1 + 1 / 3 + 1 / 10) / 5)


def test_no_cases_are_zeros() -> None:
    metrics = ranking_metrics(np.zeros(0))
    assert (metrics.cases, metrics.hr10, metrics.ndcg10, metrics.mrr10) == (0, 0.0, 0.0, 0.0)


def test_several_relevant_items_by_hand() -> None:
    # First case: ranks 2 and 11 of two; second: rank 1 of one; third: ranks 4 and 1 of three, one never shown.
    each = case_metrics(np.array([2.0, 11.0, 1.0, 4.0, np.inf, 1.0]), np.array([2, 1, 3]))
    ideal_2, ideal_3 = 1 + 1 / np.log2(3), 1 + 1 / np.log2(3) + 1 / 2
    assert each.hr10.tolist() == [1, 1, 1]
    assert each.recall10.tolist() == pytest.approx([1 / 2, 1, 2 / 3])
    assert each.ndcg10.tolist() == pytest.approx([1 / np.log2(3) / ideal_2, 1, (1 + 1 / np.log2(5)) / ideal_3])
    assert each.mrr10.tolist() == pytest.approx([1 / 2, 1, 1])


def test_more_relevant_items_than_places_can_be_perfect() -> None:
    each = case_metrics(np.arange(1.0, 13.0), np.array([12]))
    assert each.ndcg10.tolist() == pytest.approx([1.0])
    assert each.recall10.tolist() == [1.0]
    assert each.uncapped_recall10.tolist() == pytest.approx([10 / 12])


def test_ndcg_is_what_scikit_learn_computes() -> None:
    rng = np.random.default_rng(3)
    scores = rng.normal(size=(20, 40))
    relevant = [rng.choice(40, size=count, replace=False).astype(np.int32) for count in rng.integers(1, 15, size=20)]
    truth = np.zeros((20, 40))
    for row, items in enumerate(relevant):
        truth[row, items] = 1
    each = case_metrics(relevant_ranks(scores, relevant), np.array([len(items) for items in relevant]))
    theirs = [ndcg_score(truth[[row]], scores[[row]], k=10) for row in range(20)]
    assert each.ndcg10.tolist() == pytest.approx(theirs)


def test_ranks_within_ten_are_exact_and_the_others_infinite() -> None:
    rng = np.random.default_rng(5)
    scores = rng.integers(0, 12, size=(30, 25)).astype(np.float64)  # many ties
    scores[rng.random(scores.shape) < 0.2] = -np.inf
    everything = [np.arange(25, dtype=np.int32)] * 30
    found = relevant_ranks(scores, everything).reshape(30, 25)
    exact = np.stack([target_ranks(scores, np.full(30, item)) for item in range(25)], axis=1)
    within = exact <= 10
    assert np.array_equal(found[within], exact[within])
    assert (found[~within] > 10).all()


def test_the_ten_best_are_shown_best_first() -> None:
    assert top_items(np.arange(30.0)[None])[0].tolist() == list(range(29, 19, -1))


def test_a_list_of_what_may_be_shown_is_filled_up_with_nothing() -> None:
    scores = np.array([[1.0, -np.inf, 1.0, 3.0]])
    assert top_items(scores)[0].tolist() == [3, 0, 2, *[-1] * 7]
