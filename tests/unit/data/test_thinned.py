"""A dense shop becomes a sparse one."""

import numpy as np

from app.data.interactions import Dataset, by_user
from app.data.thinned import thinned
from tests.support.model import dataset_of, interactions_of


def grocer() -> Dataset:
    """Sixty households; item 0 is bought with every other purchase, the others come from a hundred favourites."""
    rng = np.random.default_rng(2)
    rows = [
        (user, 0 if step % 2 else 1 + int(rng.integers(100)), step * 1_000 + user)
        for step in range(300)
        for user in range(60)
    ]
    return dataset_of(interactions_of(rows, users=60, items=101))


def test_users_are_short_runs_without_repetition() -> None:
    made = thinned(grocer(), 500, np.random.default_rng(0))
    log = made.interactions
    histories = [log.items[positions] for positions in by_user(log)]
    assert len(histories) > 300
    assert all(len(set(history.tolist())) == len(history) >= 5 for history in histories)
    assert 6 < np.mean([len(history) for history in histories]) < 11
    assert np.bincount(log.items).min() >= 5


def test_a_run_is_of_neighbouring_purchases_in_time_order() -> None:
    log = thinned(grocer(), 500, np.random.default_rng(0)).interactions
    assert (np.diff(log.ts_ms) >= 0).all()
    spans = [np.ptp(log.ts_ms[positions]) for positions in by_user(log)]
    assert np.median(spans) < 300_000 / 5


def test_what_sells_best_is_thinned() -> None:
    dataset = grocer()
    before = np.bincount(dataset.interactions.items)
    assert before[0] > 50 * before[1:].mean()
    after = np.bincount(thinned(dataset, 500, np.random.default_rng(0)).interactions.items)
    assert after[0] < 5 * after[1:].mean()


def test_only_ids_are_left_and_it_is_other_data() -> None:
    dataset = grocer()
    made = thinned(dataset, 500, np.random.default_rng(0))
    assert all(item.title == item.item_id for item in made.catalog)
    assert made.fingerprint != dataset.fingerprint
