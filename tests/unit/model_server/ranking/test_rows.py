"""What is known of users and items, counted by hand."""

import numpy as np
import pytest

from app.data.interactions import Interactions
from app.data.local_time import MS_PER_DAY
from model_server.ranking.counts import count_items, first_times
from model_server.ranking.groups import Groups, places_within
from model_server.ranking.lines import Moments, lines_of
from model_server.ranking.own import own_items
from tests.support.model import interactions_of

NOW_MS = 10 * MS_PER_DAY


def moments(users: int) -> Moments:
    nothing = np.zeros(0, np.int64)
    now_ms = np.full(users, NOW_MS, np.int64)
    return Moments(now_ms, np.arange(users), np.full(users, -1, np.int32), nothing, nothing)


def days(events: list[tuple[int, int, int]]) -> Interactions:
    """(user, item, day) each."""
    return interactions_of([(user, item, day * MS_PER_DAY) for user, item, day in events], users=2, items=9)


def test_own_items_are_counted_by_user_and_item() -> None:
    log = days([(0, 4, 1), (0, 3, 5), (0, 4, 5), (1, 4, 8)])
    histories = [log.take(log.users == user) for user in (0, 1)]
    own = own_items(lines_of(histories), moments(2), window=64)
    assert own.owners.tolist() == [0, 0, 1]
    assert own.items.tolist() == [3, 4, 4]
    assert own.count.tolist() == [1, 2, 1]
    assert own.occasions.tolist() == [1, 2, 1]
    assert own.decayed == pytest.approx([0.99**5, 0.99**9 + 0.99**5, 0.99**2])
    assert own.last_days.tolist() == [5, 5, 2]
    assert own.first_days.tolist() == [5, 9, 2]
    assert own.recent[:, :2].tolist() == [[1, 1], [1, 2], [1, 1]]


def test_only_the_newest_interactions_tell_of_visits() -> None:
    log = days([(0, 4, 1), (0, 3, 5), (0, 4, 6)])
    own = own_items(lines_of([log]), moments(1), window=1)
    assert own.recent.tolist() == [[0, 0, 0, 0], [1, 1, 1, 1]]
    assert own.count.tolist() == [1, 2]


def test_a_batch_gives_what_each_user_gives_alone() -> None:
    rng = np.random.default_rng(0)
    log = days([(int(user), int(item), int(day)) for user, item, day in zip(
        rng.integers(0, 2, 60), rng.integers(0, 9, 60), np.sort(rng.integers(0, 10, 60)), strict=True)])  # fmt: skip
    histories = [log.take(log.users == user) for user in (0, 1)]
    both = own_items(lines_of(histories), moments(2), window=10)
    alone = [own_items(lines_of([history]), moments(1), window=10) for history in histories]
    assert both.items.tolist() == [item for each in alone for item in each.items.tolist()]
    assert both.fast == pytest.approx(np.concatenate([each.fast for each in alone]))
    assert both.recent.tolist() == [row for each in alone for row in each.recent.tolist()]


def test_nobody_has_nothing() -> None:
    own = own_items(lines_of([days([]).take(slice(0, 0))]), moments(1), window=64)
    assert len(own.items) == 0
    assert own.recent.shape == (0, 4)


def test_first_purchases_fade_and_what_is_to_come_is_not_counted() -> None:
    log = days([(0, 4, 3), (0, 4, 6), (1, 4, 7), (1, 5, 12)])
    counts = count_items(log, first_times(log), NOW_MS)
    assert counts.first_now[4] == pytest.approx(0.5 ** (7 / 3) + 0.5 ** (3 / 3))
    assert counts.popular_now[4] == pytest.approx(0.5 ** (7 / 3) + 0.5 ** (4 / 3) + 0.5 ** (3 / 3))
    assert counts.popular[5] == 0


def test_groups_answer_for_the_pairs_that_are_there() -> None:
    groups = Groups.of(np.array([5, 3, 5]), np.array([3, 4, 5]))
    values = np.array([1.0, 10.0, 2.0])
    assert groups.summed(values, missing=-1).tolist() == [10, -1, 3]
    assert groups.least(values, missing=-1).tolist() == [10, -1, 1]
    assert groups.most(values, missing=-1).tolist() == [10, -1, 2]


def test_places_count_from_each_owners_best() -> None:
    places = places_within(np.array([0, 0, 0, 1, 1]), np.array([1.0, 3.0, 2.0, 0.0, 5.0]))
    assert places.tolist() == [2, 0, 1, 1, 0]
