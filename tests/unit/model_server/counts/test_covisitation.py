"""Co-visitation counts what its formula says, whatever came in one go, and stays within its bounds."""

import numpy as np
import pytest
from numpy.typing import NDArray

from model_server.counts.covisitation import READING, CoVisitation, CoVisitationOptions
from model_server.counts.entries import newest_readings

DAY_MS = 86_400_000
ITEMS, USERS = 30, 12
EVER = 1e9  # days: nothing fades

Log = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


def a_log(events: int = 600, seed: int = 3) -> Log:
    """Users, items and times; favourites exist."""
    rng = np.random.default_rng(seed)
    items = np.minimum(rng.geometric(0.12, events) - 1, ITEMS - 1)
    return rng.integers(0, USERS, events), items, np.arange(events) * DAY_MS


def formula(log: Log, history: list[int], half_life_days: float = EVER) -> NDArray[np.float64]:
    """(ITEMS,) scores, event by event as the module's docstring says it."""
    pairs, counts = np.zeros((ITEMS, ITEMS)), np.zeros(ITEMS)
    recent: dict[int, list[int]] = {user: [] for user in range(USERS)}
    for user, item, ts_ms in zip(*(column.tolist() for column in log), strict=True):
        share = 2.0 ** ((ts_ms - int(log[2][-1])) / DAY_MS / half_life_days)
        for steps, earlier in enumerate(reversed(recent[user][-10:]), start=1):
            pairs[earlier, item] += share / steps
            pairs[item, earlier] += share * 0.5 / steps
        recent[user].append(item)
        counts[item] += share
    scores = np.zeros(ITEMS)
    for age, item in enumerate(reversed(history[-20:])):
        if counts[item]:
            scores += 0.8**age * pairs[item] / counts[item]
    return scores / np.maximum(counts, 1e-300) ** 0.25


def counted(log: Log, options: CoVisitationOptions, at_once: int = 1_000) -> CoVisitation:
    counts = CoVisitation(options)
    for start in range(0, len(log[0]), at_once):
        counts.observe(*(column[start : start + at_once] for column in log))
    return counts


def read(counts: CoVisitation, history: list[int]) -> NDArray[np.float64]:
    items = np.array(history, np.int64)
    found = counts.read(newest_readings(np.zeros(len(items), np.int64), items, READING.length, READING.recency))
    return np.bincount(found.items, found.worth, ITEMS).astype(np.float64)


@pytest.mark.parametrize("at_once", [1, 7, 600])
@pytest.mark.parametrize("half_life_days", [EVER, 200.0, 3.0])
def test_scores_are_those_of_the_formula_however_many_events_come_at_once(at_once: int, half_life_days: float) -> None:
    log, history = a_log(), [3, 0, 1, 29, 2, 0]
    counts = counted(log, CoVisitationOptions(half_life_days, neighbours=ITEMS), at_once)
    assert counts.cut == 0
    mine, theirs = read(counts, history), formula(log, history, half_life_days)
    # A half-life of 3 days moves the landmark; what scores have in common is no part of their order.
    assert np.allclose(mine / mine.max(), theirs / theirs.max(), atol=1e-5)


def test_a_history_that_says_nothing_gives_nothing() -> None:
    counts = counted(a_log(), CoVisitationOptions(EVER))
    assert not read(counts, []).any()
    assert not read(counts, [-1]).any()
    assert not read(CoVisitation(CoVisitationOptions(EVER)), [1, 2]).any()


def test_a_full_row_keeps_what_is_strong_and_lets_in_what_keeps_coming() -> None:
    options = CoVisitationOptions(EVER, neighbours=2, window=1)
    rounds = [(1, 20), (2, 10)] + [(other, 1) for other in range(3, 20)] + [(25, 40)]
    counts = CoVisitation(options)
    for number, (other, times) in enumerate(rounds):
        for _ in range(times):  # each time a new user does 0 and then the other
            counts.observe(np.full(2, number), np.array([0, other]), np.full(2, DAY_MS))
            counts.forget(number)
    assert counts.cut > 0
    assert set(np.flatnonzero(read(counts, [0]))) == {1, 25}


def test_going_on_from_a_snapshot_is_as_if_nothing_had_happened() -> None:
    log, options = a_log(), CoVisitationOptions(50.0, neighbours=ITEMS)
    (users, items, ts_ms), cut = log, 350
    saved = counted((users[:cut], items[:cut], ts_ms[:cut]), options).snapshot(ITEMS)
    again = CoVisitation(options, saved)
    again.follow(users[:cut], items[:cut])
    again.observe(users[cut:], items[cut:], ts_ms[cut:])
    mine, theirs = read(again, [4, 1, 0]), read(counted(log, options), [4, 1, 0])
    assert np.allclose(mine / mine.max(), theirs / theirs.max(), atol=1e-5)


def test_a_snapshot_that_is_wider_than_what_is_kept_leaves_its_weakest_pairs_behind() -> None:
    wide = counted(a_log(), CoVisitationOptions(EVER, neighbours=ITEMS)).snapshot(ITEMS)
    narrow = CoVisitation(CoVisitationOptions(EVER, neighbours=3), wide).snapshot(ITEMS)
    for item in range(ITEMS):
        row, kept = (
            np.sort(each.pairs.weights[each.pairs.starts[item] : each.pairs.starts[item + 1]])[::-1]
            for each in (wide, narrow)
        )
        assert np.array_equal(kept, row[:3])


def test_items_beyond_the_bound_are_not_counted_and_forgotten_users_start_anew() -> None:
    counts = CoVisitation(CoVisitationOptions(EVER, max_items=5))
    counts.observe(np.zeros(3, np.int64), np.array([1, 900, 2]), np.full(3, DAY_MS))
    assert read(counts, [1]).nonzero()[0].tolist() == [2]
    counts.forget(0)
    counts.observe(np.zeros(1, np.int64), np.array([3]), np.full(1, DAY_MS))
    assert not read(counts, [3]).any()


def test_an_item_that_the_snapshot_does_not_know_may_lie_in_a_window_that_was_followed() -> None:
    start = counted((np.zeros(2, np.int64), np.array([0, 1]), np.full(2, DAY_MS)), CoVisitationOptions(EVER)).snapshot(
        2
    )
    counts = CoVisitation(CoVisitationOptions(EVER, max_items=10), start)
    counts.follow(np.full(2, 7), np.array([9, 900]))  # the second has no room at all
    counts.observe(np.array([7]), np.array([1]), np.array([2 * DAY_MS]))
    counts.observe(np.array([7]), np.array([9]), np.array([3 * DAY_MS]))
    assert set(read(counts, [1]).nonzero()[0]) == {0, 9}
    assert set(read(counts, [9]).nonzero()[0]) == {1, 9}  # 9, 1, 9: it came again


def test_a_snapshot_of_more_items_than_are_kept_speaks_for_those_that_are() -> None:
    whole = counted(a_log(), CoVisitationOptions(EVER, neighbours=ITEMS)).snapshot(ITEMS)
    counts = CoVisitation(CoVisitationOptions(EVER, neighbours=ITEMS, max_items=4), whole)
    assert 0 < read(counts, [0, 1, 2, 3]).nonzero()[0].max() < 4
