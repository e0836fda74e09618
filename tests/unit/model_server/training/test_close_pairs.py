"""Pairs of one history, nearer ones counting more."""

import numpy as np
import pytest

from model_server.training.chunks import histories_of
from model_server.training.close_pairs import close_pairs
from tests.support.model import interactions_of


def test_nearer_pairs_of_one_history_count_more() -> None:
    # 0, 1, 0, 2 by one user, 2, 1 by another.
    rows = [(0, 0, 1), (0, 1, 2), (1, 2, 3), (0, 0, 4), (1, 1, 5), (0, 2, 6)]
    counts = close_pairs(histories_of(interactions_of(rows, users=2, items=4)), items=4, backward=0.0).toarray()
    wanted = np.zeros((4, 4))
    wanted[0, 1], wanted[1, 0], wanted[1, 2], wanted[0, 2], wanted[2, 1] = 1, 1, 1 / 2, 1 + 1 / 3, 1
    assert counts == pytest.approx(wanted)


def test_backwards_is_a_share_of_onwards() -> None:
    histories = histories_of(interactions_of([(0, 0, 1), (0, 1, 2)], users=1, items=2))
    assert close_pairs(histories, items=2, backward=0.5).toarray() == pytest.approx(np.array([[0, 1], [0.5, 0]]))
    symmetric = close_pairs(histories, items=2, backward=1.0).toarray()
    assert symmetric == pytest.approx(symmetric.T)


def test_who_is_too_far_behind_does_not_count() -> None:
    rows = [(0, item, item) for item in range(12)]
    counts = close_pairs(histories_of(interactions_of(rows, users=1, items=12)), items=12, backward=0.0).toarray()
    assert counts[0, 10] == pytest.approx(1 / 10)
    assert counts[0, 11] == 0
