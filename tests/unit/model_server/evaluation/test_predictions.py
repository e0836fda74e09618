"""Predicted stars and responses against what scikit-learn is known to say of made-up answers."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from app.interests.state import Kind
from model_server.evaluation.predictions import rating_errors, response_metrics
from model_server.evaluation.tally import Answers
from model_server.judging.metrics import case_metrics

CASES = 400


def answers() -> Answers:
    nothing = np.full(CASES, np.nan)
    return Answers(
        users=np.arange(CASES),
        metrics=case_metrics(np.ones(CASES), np.ones(CASES, np.int64)),
        lists=np.zeros((CASES, 10), np.int32),
        history_lengths=np.zeros(CASES, np.int64),
        miscalibration=nothing,
        standing=np.random.default_rng(0).normal(size=CASES),
        kinds=np.zeros(CASES, np.int8),
        ratings=nothing.astype(np.float32),
        predicted_ratings=nothing,
    )


def stars(liked: NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.where(liked, 4, 3).astype(np.float32)


def test_errors_of_predicted_stars() -> None:
    ratings, predicted = np.full(CASES, np.nan, np.float32), np.full(CASES, np.nan)
    ratings[:3], predicted[:2] = [4, 2, 5], [3, 5]
    assert rating_errors(replace(answers(), ratings=ratings, predicted_ratings=predicted)) == {
        "mae": pytest.approx(2.0),
        "rmse": pytest.approx(np.sqrt(5)),
    }
    assert rating_errors(replace(answers(), ratings=ratings)) == {}


def test_a_score_that_tells_likes_apart_is_seen_and_one_that_does_not_is_seen_through() -> None:
    telling = answers()
    found = response_metrics(replace(telling, ratings=stars(telling.standing > 0)))
    assert found["auc_like"] == pytest.approx(1.0)
    assert found["log_loss_like"] < 0.3
    blind = response_metrics(replace(telling, ratings=stars(np.random.default_rng(1).random(CASES) < 0.5)))
    assert blind["auc_like"] == pytest.approx(0.5, abs=0.1)
    assert blind["log_loss_like"] == pytest.approx(np.log(2), abs=0.02)


def test_predicted_stars_are_believed_before_scores() -> None:
    base = answers()
    liked = np.random.default_rng(2).random(CASES) < 0.5
    found = response_metrics(replace(base, ratings=stars(liked), predicted_ratings=np.where(liked, 4.5, 2.5)))
    assert found["auc_like"] == 1.0


def test_purchases_and_clicks_are_told_from_lesser_touches() -> None:
    base = answers()
    kinds = np.where(base.standing > 0.5, Kind.PURCHASE, np.where(base.standing > -0.5, Kind.CLICK, Kind.VIEW))
    found = response_metrics(replace(base, kinds=kinds.astype(np.int8)))
    assert set(found) == {f"{name}_{what}" for name in ("auc", "log_loss") for what in ("click", "purchase")}
    assert found["auc_purchase"] == found["auc_click"] == pytest.approx(1.0)


def test_what_has_one_answer_only_is_not_reported() -> None:
    purchases = np.full(CASES, Kind.PURCHASE, np.int8)
    assert response_metrics(replace(answers(), kinds=purchases)) == {}
    assert response_metrics(answers()) == {}
