"""Neighbour tables against weights worked out by hand, and one user's reading against everybody's."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse

from model_server.counts.ease import EaseOptions, ease
from model_server.counts.item_knn import KnnOptions, item_knn
from model_server.counts.matrices import MAX_ROW, basket_items, user_items
from model_server.counts.neighbours import NeighbourTable, Reading, score_many, score_one, strongest, table_of
from tests.support.model import interactions_of

# Three people: 0 had a, b; 1 had a, b, c; 2 had c.
ROWS = sparse.csr_array(np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 0]], dtype=np.float32))


def dense(table: NeighbourTable) -> NDArray[np.float32]:
    found: NDArray[np.float32] = table.matrix().toarray()
    return found


def random_rows(rows: int, items: int) -> sparse.csr_array:
    return sparse.csr_array((np.random.default_rng(3).random((rows, items)) < 0.3).astype(np.float32))


def test_a_person_is_a_row_however_often_they_had_it() -> None:
    log = interactions_of([(1, 2, 1), (0, 0, 2), (1, 2, 3), (1, 0, 4)], users=3, items=4)
    assert user_items(log).toarray().tolist() == [[1, 0, 0, 0], [1, 0, 1, 0]]


def test_what_happened_in_one_moment_is_a_basket() -> None:
    log = interactions_of([(1, 2, 1), (1, 0, 1), (0, 3, 1), (1, 1, 2)], users=2, items=4)
    assert sorted(basket_items(log).toarray().tolist()) == [[0, 0, 0, 1], [0, 1, 0, 0], [1, 0, 1, 0]]


def test_only_the_newest_of_an_endless_history_is_counted() -> None:
    log = interactions_of([(0, step, step) for step in range(MAX_ROW + 5)], users=1, items=MAX_ROW + 5)
    assert user_items(log).toarray()[0].tolist() == [0.0] * 5 + [1.0] * MAX_ROW


def test_knn_is_the_shrunken_cosine() -> None:
    table = item_knn(ROWS, KnnOptions(neighbours=3, shrinkage=1.0))
    assert dense(table) == pytest.approx(
        np.array([[0, 2 / 3, 1 / 3, 0], [2 / 3, 0, 1 / 3, 0], [1 / 3, 1 / 3, 0, 0], [0, 0, 0, 0]])
    )


def test_ease_is_the_closed_form() -> None:
    rows = random_rows(30, 8)
    gram = (rows.T @ rows).toarray().astype(np.float64)
    inverse = np.linalg.inv(gram + 5.0 * np.eye(8))
    wanted = np.maximum(np.eye(8) - inverse / np.diag(inverse), 0.0)
    np.fill_diagonal(wanted, 0.0)
    table = ease(rows, EaseOptions(regularisation=5.0, neighbours=8))
    assert dense(table) == pytest.approx(wanted, abs=1e-5)


def test_ease_keeps_the_strongest_and_learns_the_most_frequent() -> None:
    rows = random_rows(40, 10)
    few = ease(rows, EaseOptions(regularisation=5.0, neighbours=2))
    assert np.diff(few.starts).max() == 2
    counts = np.asarray(rows.sum(axis=0)).ravel()
    frequent = np.sort(np.argsort(-counts, kind="stable")[:4])
    some = dense(ease(rows, EaseOptions(regularisation=5.0, neighbours=10, max_items=4)))
    of_these = dense(ease(rows[:, frequent], EaseOptions(regularisation=5.0, neighbours=10)))
    assert some[np.ix_(frequent, frequent)] == pytest.approx(of_these)
    assert np.count_nonzero(some) == np.count_nonzero(of_these)


def test_nothing_is_learned_from_nobody() -> None:
    nobody = sparse.csr_array((0, 4), dtype=np.float32)
    for table in (item_knn(nobody, KnnOptions()), ease(nobody, EaseOptions())):
        assert dense(table).tolist() == [[0.0] * 4] * 4


def test_the_strongest_of_each_row_stay() -> None:
    rows = sparse.csr_array(np.array([[3.0, 1, 2, 0], [0, 0, 0, 0], [1, 1, 1, 1]], dtype=np.float32))
    assert strongest(rows, 2).toarray().tolist() == [[3, 0, 2, 0], [0, 0, 0, 0], [1, 1, 0, 0]]


def test_newer_items_weigh_more_and_older_ones_than_the_length_nothing() -> None:
    table = item_knn(ROWS, KnnOptions(neighbours=3, shrinkage=1.0))
    read = score_one(table, np.array([2, 1, 0], np.int32), Reading(recency=0.5, length=2))
    # 0 is the newest: its neighbours 1 (2/3) and 2 (1/3), then half of those of 1: 0 (2/3) and 2 (1/3).
    assert dict(zip(read.items.tolist(), read.scores.tolist(), strict=True)) == pytest.approx(
        {0: 1 / 3, 1: 2 / 3, 2: 1 / 2}
    )


def test_one_by_one_is_all_at_once() -> None:
    weights = np.random.default_rng(5).normal(size=(20, 20)).astype(np.float32)
    table = table_of(strongest(sparse.csr_array(weights), 6))
    reading = Reading(recency=0.8, length=5)
    rng = np.random.default_rng(6)
    histories = [rng.integers(20, size=size).astype(np.int32) for size in (0, 1, 4, 5, 9)]
    together = score_many(table, histories, reading).toarray()
    for row, history in enumerate(histories):
        read = score_one(table, history, reading)
        alone = np.zeros(20, np.float32)
        alone[read.items] = read.scores
        assert alone == pytest.approx(together[row], abs=1e-5)
