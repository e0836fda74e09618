"""Co-visitation goes on where the model version's counts end; users' windows are read from the log again."""

import numpy as np

from model_server.counts.covisitation import CountedPairs, CoVisitation, CoVisitationOptions
from model_server.counts.entries import Readings
from model_server.counts.live import LiveCoVisitation
from model_server.items.rows import ItemRows
from model_server.popularity.told import Told, Touch

OPTIONS = CoVisitationOptions(half_life_days=1e9, neighbours=8)


def version() -> CountedPairs:
    """Somebody did 0 and then 1 until the time 20."""
    counts = CoVisitation(OPTIONS)
    counts.observe(np.zeros(2, np.int64), np.array([0, 1]), np.array([10, 20]))
    return counts.snapshot(3)


def live(rows: ItemRows, max_users: int = 10) -> LiveCoVisitation:
    return LiveCoVisitation(version(), OPTIONS, rows, max_users)


def after(counts: LiveCoVisitation, rows: ItemRows, item_id: str) -> set[str]:
    """What an item speaks for."""
    item = np.array([rows.row(item_id)])
    found = counts.read(Readings(np.zeros(1, np.int64), item, np.ones(1)))
    ids = ("a", "b", "c", "new")
    return {each for each in ids if rows.row(each) in found.items}


def test_what_the_version_counted_fills_windows_and_is_not_counted_again() -> None:
    rows = ItemRows(("a", "b", "c"))
    counts = live(rows)
    assert counts.count(Told([Touch("ada", "a", 10), Touch("ada", "b", 20)])) == 0
    assert counts.count(Told([Touch("ada", "new", 21)])) == 1
    assert after(counts, rows, "a") == {"b", "new"}
    assert after(counts, rows, "new") == {"a", "b"}
    assert after(counts, rows, "c") == set()


def test_whoever_is_forgotten_or_was_away_for_longest_starts_anew() -> None:
    rows = ItemRows(("a", "b", "c"))
    counts = live(rows, max_users=2)
    counts.count(Told([Touch("ada", "a", 30), Touch("bob", "b", 30)]))
    counts.count(Told([Touch("eve", "c", 31)]))  # ada leaves
    counts.count(Told([Touch("bob", "new", 32)], forgotten=["bob"]))
    assert after(counts, rows, "new") == {"b"}
    counts.count(Told([Touch("bob", "c", 33), Touch("ada", "c", 33)]))
    assert after(counts, rows, "c") == set()


def test_items_without_a_row_take_no_place() -> None:
    rows = ItemRows(("a", "b", "c"), max_rows=3)
    counts = live(rows)
    counts.count(Told([Touch("ada", "a", 30), Touch("ada", "garbage", 31), Touch("ada", "c", 32)]))
    assert after(counts, rows, "c") == {"a"}
