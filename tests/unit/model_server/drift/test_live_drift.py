"""A planted shift raises the gauge of what has shifted, and no other."""

import numpy as np

from app.contracts.recommendations import RecommendedItem
from app.data.popularity import popularity_of
from app.interests.state import Kind
from app.observability import Metrics
from app.surfaces.touches import History, history_of
from model_server import metrics as table
from model_server.drift.live import LiveDrift
from model_server.drift.reference import UNTRAINED, Reference, activity_bin, reference_of, tenths_of
from model_server.popularity.told import Told, Touch
from model_server.scoring.scorer import Scored
from tests.support.model import DAY_MS, interactions_of
from tests.support.states import state_of

ITEMS = 40
RNG = np.random.default_rng(3)
POPULARITY = {f"item-{item}": float(ITEMS - item) for item in range(ITEMS)}
LOG = interactions_of(
    [(number % 50, int(item), number * 60_000) for number, item in enumerate(RNG.integers(ITEMS, size=6_000))],
    users=50,
    items=ITEMS,
)
REFERENCE = reference_of(LOG, half_life_days=30)


def drift_of(reference: Reference | None = REFERENCE) -> tuple[LiveDrift, Metrics]:
    metrics = Metrics(table.TABLE)
    return LiveDrift(metrics, "v1", reference, POPULARITY, "home", now_s=iter(range(0, 10**6, 60)).__next__), metrics


def touches(items: list[int], kind: Kind = Kind.RATE) -> Told:
    return Told([Touch("ada", f"item-{item}", DAY_MS, None, kind) for item in items])


def drawn(count: int) -> list[int]:
    return [int(item) for item in np.random.default_rng(8).integers(ITEMS, size=count)]


def test_a_reference_counts_the_newest_events() -> None:
    assert sum(REFERENCE.kinds) == REFERENCE.kinds[Kind.RATE] == 2_000  # a fifth, but not fewer
    assert sum(REFERENCE.hours) == sum(REFERENCE.items) == sum(REFERENCE.activity) == 2_000
    assert REFERENCE.items[UNTRAINED] == 0
    assert REFERENCE.activity[-1] == 2_000  # each of the fifty had 80 events before
    assert [activity_bin(had) for had in (0, 1, 3, 31, 32, 500)] == [0, 1, 2, 5, 6, 6]
    tenths = tenths_of(POPULARITY)
    assert (tenths["item-0"], tenths["item-3"], tenths["item-4"], tenths["item-39"]) == (0, 0, 1, 9)


def test_where_nothing_changes_nothing_is_raised() -> None:
    drift, metrics = drift_of()
    assert drift.count(touches(drawn(3_000))) == 0
    found = drift.found()
    assert found["items"] < 0.05
    assert found["kinds"] < 0.05
    drift.refresh()
    assert metrics.registry.get_sample_value("riverrun_drift_psi", {"version": "v1", "what": "items"}) == found["items"]


def zipf(items: int, count: int, seed: int) -> list[int]:
    """Items drawn from the same long tail as ever."""
    chances = 1 / np.arange(1, items + 1)
    return [int(item) for item in np.random.default_rng(seed).choice(items, size=count, p=chances / chances.sum())]


def test_a_shop_with_a_long_tail_that_does_not_change_raises_nothing() -> None:
    rows = [(number % 50, item, number * 60_000) for number, item in enumerate(zipf(5_000, 20_000, seed=1))]
    log = interactions_of(rows, users=50, items=5_000)
    drift = LiveDrift(
        Metrics(table.TABLE), "v1", reference_of(log, 30), popularity_of(log, 30).weights, "home", now_s=lambda: 0.0
    )
    drift.count(touches(zipf(5_000, 10_000, seed=2)))
    assert drift.found()["items"] < 0.05


def test_where_nothing_is_older_than_what_is_counted_nothing_is_said_of_items() -> None:
    reference = reference_of(LOG.take(slice(0, 1_500)), 30)
    assert sum(reference.kinds) == 1_500
    assert sum(reference.items) == 0
    drift, _ = drift_of(reference)
    drift.count(touches(drawn(3_000)))
    assert drift.found()["items"] == 0


def test_other_items_raise_theirs_alone() -> None:
    drift, _ = drift_of()
    drift.count(touches([30 + item % 10 for item in drawn(3_000)]))
    found = drift.found()
    assert found["items"] > 1
    assert found["kinds"] < 0.05


def test_items_that_nobody_trained_on_and_other_kinds_are_seen() -> None:
    drift, _ = drift_of()
    drift.count(touches([item + 20 for item in drawn(3_000)], Kind.PURCHASE))
    found = drift.found()
    assert found["items"] > 0.25
    assert found["kinds"] > 1


def test_too_little_says_nothing_and_much_is_bounded() -> None:
    drift, _ = drift_of()
    drift.count(touches(drawn(900)))
    assert drift.found() == {}
    for _ in range(60):
        drift.count(touches(drawn(1_000)))
    assert drift._windows["items"].counts.sum() < 20_000  # noqa: SLF001  # what bounds the memory of old events
    drift.count(touches([39] * 20_000))
    assert drift.found()["items"] > 1  # what is newest counts


def lists_of(items: list[int], source: str) -> Scored:
    places = tuple(RecommendedItem(f"item-{item}", 1.0, source, "") for item in items)
    return Scored(lists=[{"home": places}])


def history(events: int) -> History:
    return history_of(state_of(*[(Kind.VIEW, f"item-{number}") for number in range(events)]))


def test_lists_are_held_against_the_first_ones() -> None:
    drift, _ = drift_of(None)
    now = lists_of(list(range(20)), "model")
    watched = drift.watch(lambda _users, _histories: now)
    for _ in range(600):
        watched(["ada"], [history(40)])
    assert drift.found()["shown"] < 0.01
    now = lists_of(list(range(20, 40)), "popularity")
    for _ in range(600):
        watched(["ada"], [history(40)])
    found = drift.found()
    assert found["shown"] > 1
    assert found["sources"] > 1
    assert "items" not in found  # a version without a reference


def test_visitors_who_did_little_raise_activity() -> None:
    drift, _ = drift_of()
    watched = drift.watch(lambda _users, _histories: Scored(lists=[{}]))
    for _ in range(1_100):
        watched(["ada"], [history(40)])
    assert drift.found()["activity"] < 0.01
    for _ in range(1_100):
        watched(["ada"], [history(2)])
    assert drift.found()["activity"] > 0.25
