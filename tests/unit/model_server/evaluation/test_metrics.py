"""Metrics against numbers made by hand."""

import numpy as np
import pytest

from model_server.evaluation.metrics import ranking_metrics, target_ranks, top_items


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


def test_the_ten_best_are_shown_or_all_of_a_small_catalog() -> None:
    assert sorted(top_items(np.arange(30.0)[None])[0].tolist()) == list(range(20, 30))
    assert sorted(top_items(np.arange(4.0)[None])[0].tolist()) == [0, 1, 2, 3]
