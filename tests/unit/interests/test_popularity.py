"""Forward decay is decay."""

import random

import pytest

from app.interests.popularity import DecayedCounts

HALF_LIFE_MS = 1_000.0


def brute_force(events: list[tuple[str, int]], now_ms: int) -> dict[str, float]:
    counts: dict[str, float] = {}
    for item_id, ts_ms in events:
        counts[item_id] = counts.get(item_id, 0.0) + 0.5 ** ((now_ms - ts_ms) / HALF_LIFE_MS)
    return counts


@pytest.mark.parametrize("span_ms", [5_000, 1_000_000])
def test_counts_are_those_of_the_sum_over_all_events_in_any_order(span_ms: int) -> None:
    rng = random.Random(1)
    events = [(f"item-{rng.randrange(20)}", rng.randrange(span_ms)) for _ in range(3_000)]
    counts = DecayedCounts(HALF_LIFE_MS)
    counts.add_all(events)
    wanted = brute_force(events, max(ts_ms for _, ts_ms in events))
    for popular in counts.top(10):
        assert popular.count == pytest.approx(wanted[popular.item_id], rel=1e-6, abs=1e-12)
    best = sorted(wanted, key=lambda item_id: (-wanted[item_id], item_id))
    assert [popular.item_id for popular in counts.top(5)] == best[:5]


def test_it_goes_on_from_a_snapshot() -> None:
    counts = DecayedCounts(HALF_LIFE_MS)
    counts.start_from({"a": 4.0, "b": 1.0}, 10_000)
    counts.add("b", 12_000)
    assert [(popular.item_id, popular.count) for popular in counts.top(2)] == [("b", 1.25), ("a", 1.0)]


def test_years_without_an_event_are_no_problem() -> None:
    counts = DecayedCounts(HALF_LIFE_MS)
    counts.add("old", 0)
    counts.add("new", 10**12)
    counts.add("older still", 0)
    assert counts.top(1)[0].item_id == "new"
    assert counts.top(1)[0].count == 1.0


def test_it_is_bounded_and_the_least_popular_fade() -> None:
    counts = DecayedCounts(HALF_LIFE_MS, max_items=10)
    for number in range(100):
        counts.add(f"rare-{number}", 0)
        counts.add("common", 0)
    assert len(counts) <= 13
    assert counts.top(1)[0].item_id == "common"
