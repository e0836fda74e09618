"""Own counts, by hand."""

from dataclasses import replace

import numpy as np
import pytest

from app.data.interactions import Interactions
from model_server.evaluation.baselines.own import OwnFrequency, cart_likeness
from model_server.evaluation.baselines.popularity import DecayedPopularity
from tests.support.model import DAY_MS, cases_of, interactions_of

# User 0: a basket of 1 and 2, two days later 1 alone; user 1: 3 three times.
LOG = interactions_of([(0, 1, 0), (0, 2, 0), (1, 3, 1), (1, 3, 2), (1, 3, 3), (0, 1, 2 * DAY_MS)], users=3, items=6)


def of_user(user: int) -> Interactions:
    return LOG.take(LOG.users == user)


def counting(*, with_carts: bool = False) -> OwnFrequency:
    own = OwnFrequency(DecayedPopularity(6, half_life_days=100), cart_likeness if with_carts else None)
    own.observe(LOG)
    return own


def test_own_counts_fade_by_the_day() -> None:
    cases = replace(cases_of([of_user(0)]), now_ms=np.array([3 * DAY_MS]))
    scores = counting().scores(cases)[0]
    assert scores.tolist() == pytest.approx([0, 0.99**3 + 0.99, 0.99**3, 0, 0, 0], abs=1e-5)


def test_what_one_never_had_follows_in_the_order_of_popularity() -> None:
    scores = counting().scores(cases_of([of_user(0), of_user(2)]))
    assert np.argsort(-scores[0])[:3].tolist() == [1, 2, 3]
    assert np.argsort(-scores[1])[:3].tolist() == [3, 1, 2]


def test_a_basket_like_the_cart_counts_more() -> None:
    one_and_two = cart_likeness(of_user(0), np.array([2, 5], np.int32))
    assert one_and_two.tolist() == pytest.approx([0.1 + 1 / 2, 0.1 + 1 / 2, 0.1])
    cases = replace(cases_of([of_user(0)]), carts=[np.array([2], np.int32)])
    scores = counting(with_carts=True).scores(cases)[0]
    shared = 0.1 + 1 / 2**0.5
    assert scores[:3].tolist() == pytest.approx([0, shared * 0.99**2 + 0.1, shared * 0.99**2], abs=1e-5)


def test_an_empty_cart_changes_nothing() -> None:
    cases = replace(cases_of([of_user(0)]), carts=[np.zeros(0, np.int32)])
    assert np.allclose(counting(with_carts=True).scores(cases), counting().scores(cases))
