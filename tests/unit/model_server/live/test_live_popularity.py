"""Popularity goes on where the model version's snapshot ends."""

from app.contracts.events import Dislike, Event, Impression, View
from app.data.popularity import MS_PER_DAY, Popularity
from app.interests.intake import IntakeLimits
from model_server.popularity.live import LivePopularity
from model_server.popularity.told import Told, told_by
from tests.support.events import NOON_MS, Record, record

LIMITS = IntakeLimits(max_event_bytes=10_000, max_future_ms=MS_PER_DAY)


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def live(weights: dict[str, float], reference_ts_ms: int, clock: Clock) -> LivePopularity:
    snapshot = Popularity(reference_ts_ms=reference_ts_ms, half_life_days=1.0, weights=weights)
    return LivePopularity(snapshot, 1.0, clock)


def told(*records: Record) -> Told:
    return told_by(records, LIMITS)


def view(item_id: str, ts_ms: int) -> Record:
    return record(View(event_id="e", user_id="ada", ts_ms=ts_ms, item_id=item_id))


def order(popularity: LivePopularity) -> list[str]:
    return [popular.item_id for popular in popularity.ranking]


def test_events_that_the_snapshot_holds_are_not_counted_twice() -> None:
    clock = Clock()
    popularity = live({"a": 2.0, "b": 1.0}, 1_000, clock)
    assert order(popularity) == ["a", "b"]
    assert popularity.count(told(view("b", 500), view("b", 1_000))) == 0
    assert popularity.count(told(view("b", 1_001), view("b", 1_002))) == 2
    popularity.refresh()
    assert order(popularity) == ["b", "a"]


def test_only_interest_counts_and_nothing_from_the_future() -> None:
    popularity = live({}, 0, Clock())
    events: list[Event] = [
        Dislike(event_id="1", user_id="ada", ts_ms=5, item_id="a"),
        Impression(event_id="2", user_id="ada", ts_ms=5, item_id="a"),
        View(event_id="3", user_id="ada", ts_ms=NOON_MS + 3 * MS_PER_DAY, item_id="a"),
    ]
    assert popularity.count(told(*map(record, events), Record(b"{"), Record(None))) == 0


def test_the_ranking_is_made_anew_at_most_once_a_second() -> None:
    clock = Clock()
    popularity = live({}, 0, clock)
    popularity.count(told(view("a", 5)))
    popularity.refresh()
    popularity.count(told(view("b", 6), view("b", 7)))
    popularity.refresh()
    assert order(popularity) == ["a"]
    clock.now_s = 1.5
    popularity.refresh()
    assert order(popularity) == ["b", "a"]
