"""Candidates of several sources in one order."""

import numpy as np
import pytest

from app.surfaces.marks import Pairs
from model_server.counts.entries import Entries
from model_server.hybrid import worths as module
from model_server.hybrid.blend import Blended, BlendWeights, Ordered, blend, stacked
from model_server.hybrid.choice import cases_of, choose
from model_server.hybrid.worths import Offers, retrieved

ITEMS = 40
NOBODY = Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64))
EVERYTHING = np.ones(ITEMS, np.bool_)


def entries(*of_users: dict[int, float]) -> Entries:
    rows = [(user, item, worth) for user, offered in enumerate(of_users) for item, worth in offered.items()]
    users, items, worth = zip(*rows, strict=True) if rows else ((), (), ())
    return Entries(np.array(users, np.int64), np.array(items, np.int64), np.array(worth, np.float64))


def order(offers: Offers, weights: tuple[float, ...], size: int = 5) -> Ordered:
    return stacked((blend(block, np.array(weights, np.float32), size) for block in offers.worths()), size)


def listed(ordered: Ordered, user: int) -> list[int]:
    items: list[int] = ordered.slots[user, : ordered.counts[user]].tolist()
    return items


def test_a_source_is_measured_by_its_own_best_and_each_item_names_who_said_most() -> None:
    offers = Offers(1, [entries({1: 1.0, 2: 0.5}), entries({2: 400.0, 3: 100.0})], NOBODY, EVERYTHING)
    ordered = order(offers, (1.0, 0.8))
    assert listed(ordered, 0) == [2, 1, 3]
    assert ordered.scores[0, :3] == pytest.approx([0.5 + 0.8, 1.0, 0.2])
    assert ordered.sources[0, :3].tolist() == [1, 0, 1]


def test_what_is_hidden_from_a_user_or_from_all_is_neither_shown_nor_the_measure_of_anything() -> None:
    shown = EVERYTHING.copy()
    shown[5] = False
    hidden = Pairs(np.array([0]), np.array([1]))
    offers = Offers(2, [entries({1: 8.0, 2: 2.0, 5: 9.0}, {1: 8.0, 2: 2.0})], hidden, shown)
    ordered = order(offers, (1.0,))
    assert [listed(ordered, user) for user in range(2)] == [[2], [1, 2]]
    assert ordered.scores[0, 0] == 1.0


def test_an_item_that_comes_twice_counts_twice_and_one_spoken_against_is_no_candidate() -> None:
    twice = Entries(np.zeros(4, np.int64), np.array([1, 2, 1, 3]), np.array([1.0, 1.5, 1.0, -1.0]))
    assert listed(order(Offers(1, [twice], NOBODY, EVERYTHING), (1.0,)), 0) == [1, 2]


def test_nobody_and_nothing() -> None:
    ordered = order(Offers(2, [entries(), entries()], NOBODY, EVERYTHING), (1.0, 1.0))
    assert ordered.slots.shape == (2, 5)
    assert ordered.counts.tolist() == [0, 0]


def test_blocks_of_users_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    sources = []
    for _ in range(3):
        users = np.sort(rng.integers(0, 50, 900))
        sources.append(Entries(users, rng.integers(0, ITEMS, 900), rng.random(900)))
    pairs = np.unique(rng.integers(0, 50 * ITEMS, 200))
    offers = Offers(50, sources, Pairs(pairs // ITEMS, pairs % ITEMS), rng.random(ITEMS) < 0.9)
    whole = order(offers, (1.0, 0.5, 0.2))
    monkeypatch.setattr(module, "_CELLS", 3 * ITEMS)
    parts = order(offers, (1.0, 0.5, 0.2))
    for user in range(50):
        assert listed(parts, user) == listed(whole, user)
    assert np.array_equal(parts.scores, whole.scores)


def test_retrieved_candidates_run_from_one_to_just_above_nothing() -> None:
    slots, scores = np.array([[3, 1, 2], [7, 8, 9]]), np.array([[9.0, 7.0, 5.0], [4.0, 4.0, 0.0]])
    found = retrieved(slots, scores, np.array([3, 1]))
    assert found.users.tolist() == [0, 0, 0, 1]
    assert found.items.tolist() == [3, 1, 2, 7]
    assert found.worth.tolist() == pytest.approx([1.0, 0.505, 0.01, 0.01])


@pytest.mark.parametrize("helpful", [True, False])
def test_a_source_that_knows_gets_weight_and_one_that_guesses_gets_none(*, helpful: bool) -> None:
    rng = np.random.default_rng(2)
    users = 400
    targets = rng.integers(0, ITEMS, users)
    best = np.where(rng.random(users) < 0.5, targets, rng.integers(0, ITEMS, users))
    network = entries(
        *({int(item): 1 + rng.random() + (item == first) for item in rng.permutation(ITEMS)} for first in best)
    )
    guess = rng.integers(0, ITEMS, users)
    knowing = np.where(rng.random(users) < 0.4, targets, guess) if helpful else guess
    second = entries(*({int(item): 1.0} for item in knowing))
    offers = Offers(users, [network, second], NOBODY, EVERYTHING)
    choice = choose(cases_of(offers, targets), (Blended.MODEL, Blended.COVISITATION), np.random.default_rng(0))
    if helpful:
        assert choice.weights.covisitation >= 0.3
        assert choice.blended.ndcg10 > choice.alone.ndcg10 + 0.05
    else:
        assert choice.weights.covisitation <= 0.1


def test_too_few_users_choose_nothing() -> None:
    offers = Offers(3, [entries({1: 1.0}, {2: 1.0}, {3: 1.0}), entries({4: 1.0})], NOBODY, EVERYTHING)
    sources = (Blended.MODEL, Blended.COVISITATION)
    choice = choose(cases_of(offers, np.array([4, 4, 4])), sources, np.random.default_rng(0))
    assert choice.weights == BlendWeights()
