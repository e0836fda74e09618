"""The guardrails trip for a version that is worse, and not for chance."""

import random
from dataclasses import replace
from typing import Final

import pytest

from model_server.swap.guardrails import MIN_LISTS, Rails, Share, difference, tripped
from model_server.swap.tally import Counts, Tally

RAILS: Final = Rails(watch_s=1_800, fallback_rise=0.05, empty_rise=0.01, hit_loss=0.2)
BEFORE: Final = Counts(lists=20_000, fallbacks=400, empty=0, events=8_000, hits=800)
LATE_S: Final = 600.0


def test_the_same_figures_trip_nothing() -> None:
    assert tripped(BEFORE, BEFORE, RAILS, LATE_S) == ""


@pytest.mark.parametrize(
    ("worse", "said"),
    [
        (Counts(lists=1_000, fallbacks=150), "users it knows nothing of: 15.0% of 1,000, before it 2.0% of 20,000"),
        (Counts(lists=1_000, empty=60), "empty lists: 6.0% of 1,000"),
        (Counts(lists=1_000, fallbacks=20, events=2_000, hits=80), "live hits: 4.0% of 2,000, before it 10.0% of 8,0"),
    ],
)
def test_what_is_clearly_worse_trips_and_says_why(worse: Counts, said: str) -> None:
    assert said in tripped(BEFORE, worse, RAILS, LATE_S)


def test_too_few_say_nothing() -> None:
    all_empty = Counts(lists=MIN_LISTS - 1, empty=MIN_LISTS - 1)
    assert not tripped(BEFORE, all_empty, RAILS, LATE_S)
    assert tripped(BEFORE, replace(all_empty, lists=MIN_LISTS), RAILS, LATE_S)
    assert not tripped(BEFORE, Counts(events=20, hits=0), RAILS, LATE_S)


def test_hits_are_not_compared_before_every_event_that_counts_can_have_come() -> None:
    worse = Counts(events=2_000, hits=0)
    assert not tripped(BEFORE, worse, RAILS, RAILS.soon_s - 1)
    assert tripped(BEFORE, worse, RAILS, RAILS.soon_s)


def test_nothing_is_said_of_a_version_that_came_after_nobody() -> None:
    assert not tripped(Counts(), Counts(lists=5_000, fallbacks=300, events=500), RAILS, LATE_S)
    assert difference(Share(0, 0), Share(1, 2)) == (-1.0, 1.0)


def test_the_interval_is_newcombes() -> None:
    """His example (a): 56/70 against 48/80 at 95 %."""
    assert difference(Share(48, 80), Share(56, 70), z=1.96) == pytest.approx((0.0524, 0.3339), abs=0.0002)


def test_who_is_as_good_is_not_taken_back_however_often_one_looks() -> None:
    rng = random.Random(1)
    for _ in range(100):
        now = Counts()
        for _look in range(60):
            now.lists += 200
            now.fallbacks += sum(rng.random() < 0.02 for _ in range(200))
            now.events += 80
            now.hits += sum(rng.random() < 0.1 for _ in range(80))
            assert not tripped(BEFORE, now, RAILS, LATE_S)


def test_a_tally_keeps_one_to_two_periods() -> None:
    now_s = 0.0
    tally = Tally(10.0, lambda: now_s)
    for at_s in (0.0, 9.0, 12.0, 25.0):
        now_s = at_s
        tally.now().lists += 1
    assert tally.recent().lists == 2  # of 12 and 25
