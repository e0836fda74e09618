"""The index, on cases worked out by hand."""

from math import log

import numpy as np
import pytest

from model_server.drift.psi import psi


def test_the_same_shares_have_an_index_of_nought_whatever_their_number() -> None:
    assert psi([10, 20, 30], [10, 20, 30]) == 0
    assert psi([1e6, 2e6], [1e3, 2e3]) == pytest.approx(0, abs=1e-6)


def test_a_shift_is_worth_what_the_formula_says() -> None:
    # Shares .5 and .5 become .75 and .25: (.25) ln(1.5) + (-.25) ln(.5).
    assert psi([5e6, 5e6], [7.5e6, 2.5e6]) == pytest.approx(0.25 * log(1.5) - 0.25 * log(0.5), rel=1e-5)
    # With the half case in each bin: (9.5, .5) and (.5, 9.5) of ten.
    assert psi([9, 0], [0, 9]) == pytest.approx(2 * (0.9 * log(19)))


def test_it_is_symmetrical_and_of_nothing_says_nothing() -> None:
    assert psi([3, 9, 1], [5, 5, 5]) == pytest.approx(psi([5, 5, 5], [3, 9, 1]))
    assert psi([0, 0], [3, 4]) == psi([3, 4], [0, 0]) == 0


def test_chance_alone_stays_far_below_a_change() -> None:
    rng = np.random.default_rng(5)
    drawn = [np.bincount(rng.integers(11, size=1_000), minlength=11) for _ in range(40)]
    by_chance = [psi(one, other) for one, other in zip(drawn[::2], drawn[1::2], strict=True)]
    assert np.mean(by_chance) == pytest.approx(10 * 2 / 1_000, rel=0.4)
    assert max(by_chance) < 0.1
