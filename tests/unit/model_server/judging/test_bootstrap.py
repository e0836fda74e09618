"""Intervals: what is known to be there is found, noise is not, and users stay whole."""

import numpy as np
import pytest

from model_server.judging.bootstrap import Interval, bootstrap


def test_a_difference_that_is_there_is_found_and_noise_is_not() -> None:
    rng = np.random.default_rng(0)
    columns = np.stack([rng.normal(0.2, 1, size=2_000), rng.normal(0, 1, size=2_000)], axis=1)
    real, noise = bootstrap(np.arange(2_000), columns, seed=1)
    assert real.excludes_zero
    assert not noise.excludes_zero
    # Of 2,000 independent cases: plus and minus 1.96 standard errors.
    assert real.high - real.low == pytest.approx(2 * 1.96 / np.sqrt(2_000), rel=0.1)
    assert real.mean == pytest.approx(columns[:, 0].mean())


def test_many_cases_of_one_user_are_not_many_users() -> None:
    rng = np.random.default_rng(0)
    of_user = rng.normal(0, 1, size=20)
    users = np.repeat(np.arange(20), 100)
    (clustered,) = bootstrap(users, of_user[users][:, None], seed=1)
    (alone,) = bootstrap(np.arange(20), of_user[:, None], seed=1)
    assert clustered.high - clustered.low == pytest.approx(alone.high - alone.low, rel=0.05)


def test_the_same_seed_gives_the_same_interval() -> None:
    columns = np.random.default_rng(0).normal(size=(50, 1))
    assert bootstrap(np.arange(50), columns, seed=3) == bootstrap(np.arange(50), columns, seed=3)


def test_no_cases_are_zeros() -> None:
    assert bootstrap(np.zeros(0, np.int64), np.zeros((0, 2)), seed=0) == [Interval(0.0, 0.0, 0.0)] * 2
