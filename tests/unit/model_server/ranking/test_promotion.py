"""What is promoted is asked of the shop by place and week."""

from typing import Any

import numpy as np

from app.data.shop import Placements, Promotions, ShopFacts
from model_server.ranking.lines import Moments
from model_server.ranking.promotion import nothing_promoted, promoting

WEEK_MS = 7 * 86_400_000


def shop() -> ShopFacts:
    """Two places, two weeks: items 3 and 5 in place 1 in week 1, nothing else."""
    placements = Placements(np.array([3, 5], np.int32), np.array([2, 0], np.int8), np.array([0, 4], np.int8))
    starts = np.array([[0, 0, 0], [0, 0, 2]], np.int64)
    promotions = Promotions(starts, placements, ("none", "end", "front"), ("none", "a", "b", "c", "d"))
    nobody: Any = None  # payments and households have no part in it
    return ShopFacts("UTC", 4, nobody, (), nobody, lambda: promotions)


def moments() -> Moments:
    """Place 0 and place 1 in week 1, place 1 in week 0."""
    monday_ms, nothing = 4 * 86_400_000, np.zeros(0, np.int64)
    now_ms = np.array([monday_ms + WEEK_MS, monday_ms + WEEK_MS, monday_ms])
    return Moments(now_ms, np.zeros(3, np.int64), np.array([0, 1, 1], np.int32), nothing, nothing)


def test_each_moment_gets_what_its_place_promotes_that_week() -> None:
    promoted = promoting(shop())(moments())
    assert promoted.owners.tolist() == [1, 1]
    assert promoted.items.tolist() == [3, 5]
    assert promoted.displays.tolist() == [2, 0]
    assert promoted.mailers.tolist() == [0, 4]


def test_a_shop_that_does_not_say_promotes_nothing() -> None:
    assert len(nothing_promoted(moments()).items) == 0
