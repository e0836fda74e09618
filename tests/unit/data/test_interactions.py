"""Cuts through time, and the popularity at a cut."""

import numpy as np
import pytest

from app.data.interactions import by_user, in_time_order, split_newest
from app.data.popularity import popularity_of
from tests.support.model import DAY_MS, interactions_of


def test_sorting_by_time_keeps_ties_as_they_stand() -> None:
    log = in_time_order(interactions_of([(0, 3, 2), (1, 1, 1), (2, 2, 1), (0, 0, 1)], users=3, items=4))
    assert log.items.tolist() == [1, 2, 0, 3]


def test_the_newest_are_cut_off() -> None:
    log = interactions_of([(0, step, step) for step in range(5)], users=1, items=5)
    split = split_newest(log, 2)
    assert (split.before.items.tolist(), split.after.items.tolist()) == ([0, 1, 2], [3, 4])
    assert len(split_newest(log, 0).after) == 0
    assert len(split_newest(log, 99).before) == 0


def test_positions_by_user_include_users_without_events() -> None:
    log = interactions_of([(2, 0, 0), (0, 1, 1), (2, 2, 2)], users=4, items=3)
    assert [positions.tolist() for positions in by_user(log)] == [[1], [], [0, 2], []]


def test_popularity_is_as_of_the_newest_event() -> None:
    log = interactions_of([(0, 1, 0), (0, 1, 14 * DAY_MS), (0, 2, 28 * DAY_MS)], users=1, items=4)
    popularity = popularity_of(log, half_life_days=14)
    assert popularity.reference_ts_ms == 28 * DAY_MS
    assert popularity.weights == pytest.approx({"item-1": 0.25 + 0.5, "item-2": 1.0})
    assert popularity_of(log.take(np.zeros(0, dtype=np.intp)), 14).weights == {}
