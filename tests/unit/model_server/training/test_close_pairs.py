"""Pairs of one history, nearer ones counting more."""

import numpy as np
import pytest

from model_server.training.chunks import Histories, histories_of
from model_server.training.close_pairs import close_pairs
from tests.support.model import interactions_of


def test_nearer_pairs_of_one_history_count_more() -> None:
    # 0, 1, 0, 2 by one user, 2, 1 by another.
    rows = [(0, 0, 1), (0, 1, 2), (1, 2, 3), (0, 0, 4), (1, 1, 5), (0, 2, 6)]
    counts = close_pairs(histories_of(interactions_of(rows, users=2, items=4)), items=4, backward=0.0).counts.toarray()
    wanted = np.zeros((4, 4))
    wanted[0, 1], wanted[1, 0], wanted[1, 2], wanted[0, 2], wanted[2, 1] = 1, 1, 1 / 2, 1 + 1 / 3, 1
    assert counts == pytest.approx(wanted)


def test_backwards_is_a_share_of_onwards() -> None:
    histories = histories_of(interactions_of([(0, 0, 1), (0, 1, 2)], users=1, items=2))
    assert close_pairs(histories, items=2, backward=0.5).counts.toarray() == pytest.approx(np.array([[0, 1], [0.5, 0]]))
    symmetric = close_pairs(histories, items=2, backward=1.0).counts.toarray()
    assert symmetric == pytest.approx(symmetric.T)


def test_who_is_too_far_behind_does_not_count() -> None:
    rows = [(0, item, item) for item in range(12)]
    counts = close_pairs(
        histories_of(interactions_of(rows, users=1, items=12)), items=12, backward=0.0
    ).counts.toarray()
    assert counts[0, 10] == pytest.approx(1 / 10)
    assert counts[0, 11] == 0


def many() -> Histories:
    """3,000 events of 40 users on 200 items, seeded."""
    rng = np.random.default_rng(4)
    rows = [(int(rng.integers(40)), int(rng.zipf(1.5)) % 200, step) for step in range(3_000)]
    return histories_of(interactions_of(rows, users=40, items=200))


def test_a_block_at_a_time_is_the_same() -> None:
    at_once, in_blocks = (close_pairs(many(), 200, 0.5, at_once=size) for size in (10_000, 7))
    assert (at_once.counts != in_blocks.counts).nnz == 0
    assert at_once.sums.tolist() == in_blocks.sums.tolist() == pytest.approx(at_once.counts.sum(axis=1))


def test_where_there_is_too_much_the_strongest_are_kept() -> None:
    whole, bounded = (close_pairs(many(), 200, 0.5, most=most) for most in (60_000, 0))
    assert bounded.sums.tolist() == whole.sums.tolist()
    for row in range(200):
        wanted, got = (pairs.counts[[row]].toarray().ravel() for pairs in (whole, bounded))
        assert np.count_nonzero(got) == min(50, np.count_nonzero(wanted))
        assert got.sum() == pytest.approx(np.sort(wanted)[-50:].sum())
