"""Every baseline learns and scores through the one interface."""

from dataclasses import replace

import numpy as np
import pytest

from model_server.evaluation.baselines.registry import BASELINES
from tests.support.model import DAY_MS, baseline_context, cases_of, planted_dataset

# The catalog is walked round, one step a day: item n is followed by n + 1.
WALKS = planted_dataset(users=60, items=30)
FINDS_THE_NEXT = ("covisitation", "item-knn", "ease", "als")
CHEAP = (*FINDS_THE_NEXT, "popularity", "decayed-popularity", "own-frequency", "own-baskets", "bpr")
BY_CART = ("co-purchase", "basket-ease", "own-baskets")


@pytest.mark.parametrize("name", CHEAP)
def test_scores_have_the_shape_of_the_cases(name: str) -> None:
    log = WALKS.interactions
    fitted = BASELINES[name](baseline_context(WALKS))(log)
    histories = [log.take(slice(0, 0)), log.take(log.users == 1)]
    before = fitted.scores(cases_of(histories))
    assert before.shape == (2, 30)
    assert np.isfinite(before).all()
    fitted.observe(log.take(slice(0, 40)))
    if not fitted.online:
        assert np.array_equal(fitted.scores(cases_of(histories)), before)


@pytest.mark.parametrize("name", FINDS_THE_NEXT)
def test_the_next_step_of_the_walk_is_near_the_top(name: str) -> None:
    log = WALKS.interactions
    fitted = BASELINES[name](baseline_context(WALKS))(log)
    histories = [log.take(log.users == user) for user in range(30)]
    scores = fitted.scores(cases_of(histories))
    for row, history in enumerate(histories):
        scores[row, history.items] = -np.inf
    wanted = np.array([(history.items[-1] + 1) % 30 for history in histories])
    hits = (np.argsort(-scores, axis=1)[:, :3] == wanted[:, None]).any(axis=1)
    assert hits.mean() > 0.7


@pytest.mark.parametrize("name", BY_CART)
def test_what_was_bought_with_the_cart_comes_first(name: str) -> None:
    # Every other user buys 0 with 1, the others 2 with 3.
    baskets = planted_dataset(users=8, items=6, length=4)
    walks = baskets.interactions
    day = walks.ts_ms // DAY_MS
    log = replace(walks, items=(2 * (walks.users % 2) + day % 2).astype(np.int32), ts_ms=day // 2 * DAY_MS)
    fitted = BASELINES[name](baseline_context(baskets))(log)
    histories = [log.take(log.users == 0), log.take(log.users == 1)]
    cases = replace(cases_of(histories), carts=[np.array([0], np.int32), np.array([3], np.int32)])
    scores = fitted.scores(cases)
    scores[[0, 1], [0, 3]] = -np.inf
    assert scores.argmax(axis=1).tolist() == [1, 2]


def test_bpr_tells_users_apart() -> None:
    log = WALKS.interactions
    fitted = BASELINES["bpr"](baseline_context(WALKS))(log)
    scores = fitted.scores(cases_of([log.take(log.users == user) for user in range(20)]))
    own = np.mean([scores[user, log.items[log.users == user]].mean() for user in range(20)])
    assert own > scores.mean() + scores.std() / 2
