"""The shop's account: the first list that knows of an event answers it; older lists never replace newer ones."""

import math

import pytest

from app.contracts.events import View
from app.contracts.recommendations import Cause, Recommendations, RecommendedItem
from app.demo.report import DemoReport, FreshnessMs, LiveQuality, freshness_of
from app.demo.scorecard import Arrival, Ledger, Ranking, percentile


def view(event_id: str, user_id: str = "ann") -> View:
    return View(event_id=event_id, user_id=user_id, ts_ms=1, item_id="tea")


def arrival(version: int, at_s: float, event_id: str = "e1", items: tuple[str, ...] = ("a", "b")) -> Arrival:
    lists = {"home": tuple(RecommendedItem(item, 1.0, "model", "") for item in items)}
    recommendations = Recommendations(
        user_id="ann",
        recommendation_id=f"r{version}",
        state_version=version,
        generated_ts_ms=0,
        model_version="m",
        variant="default",
        cause=Cause(event_id, 1, 1),
        lists=lists,
    )
    return Arrival(recommendations, at_s)


def test_the_first_list_past_an_event_answers_it_and_everything_before() -> None:
    ledger = Ledger()
    for number in range(3):
        ledger.sent(view(f"e{number}"))
        ledger.stored(view(f"e{number}"), offset=10 + number, sent_s=float(number))
    ledger.arrived("ann", arrival(11, at_s=5.0, event_id="e1"))
    assert ledger.freshness_s == [4.0, 5.0]
    assert ledger.owed() == ["ann"]
    ledger.arrived("ann", arrival(12, at_s=6.0, event_id="e2"))
    assert ledger.freshness_s == [4.0, 4.0, 5.0]
    assert ledger.owed() == []


def test_a_list_that_overtakes_the_news_of_its_event_still_answers_it() -> None:
    ledger = Ledger()
    ledger.sent(view("e1"))
    ledger.arrived("ann", arrival(7, at_s=2.0))
    ledger.stored(view("e1"), offset=7, sent_s=1.5)
    assert ledger.freshness_s == [0.5]


def test_an_older_list_never_replaces_a_newer_one() -> None:
    ledger = Ledger()
    assert ledger.arrived("ann", arrival(9, 1.0, items=("new",)))
    assert not ledger.arrived("ann", arrival(8, 2.0, items=("old",)))
    assert ledger.shown("ann") == ["new"]
    assert ledger.shown("bob") == []


def test_a_user_without_a_list_is_owed_one() -> None:
    ledger = Ledger()
    ledger.sent(view("e1", "bob"))
    assert ledger.owed() == ["bob"]


def test_hit_rate_and_ndcg_are_what_the_hand_computes() -> None:
    ranking = Ranking()
    shown = [str(number) for number in range(20)]
    assert ranking.judge(shown, "0")
    assert ranking.judge(shown, "3")
    assert not ranking.judge(shown, "10")
    assert not ranking.judge([], "0")
    assert ranking.hit_rate == 0.5
    assert math.isclose(ranking.ndcg, (1 / math.log2(2) + 1 / math.log2(5)) / 4)


@pytest.mark.parametrize(("share", "wanted"), [(0.5, 50), (0.95, 95), (0.99, 99), (1.0, 100), (0.001, 1)])
def test_percentiles_are_the_nearest_rank(share: float, wanted: int) -> None:
    assert percentile(list(range(1, 101)), share) == wanted


def test_an_unaccounted_event_and_a_missing_list_are_losses() -> None:
    def report(accepted: int, lost: int) -> DemoReport:
        quality = LiveQuality(0.1, 0.1, 0.1, 1)
        return DemoReport(10, accepted, 1, 3, 9, lost, FreshnessMs(1, 2, 3), FreshnessMs(2, 3, 4), quality, "m", 1.0)

    assert report(accepted=9, lost=0).nothing_lost()
    assert not report(accepted=8, lost=0).nothing_lost()
    assert not report(accepted=9, lost=1).nothing_lost()


def test_no_freshness_is_zero() -> None:
    assert freshness_of([]) == FreshnessMs(0, 0, 0)
