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


class Shop:
    """Sells everything but what was taken out."""

    def __init__(self) -> None:
        self.version = 0
        self.out: set[str] = set()

    def is_sellable(self, item_id: str) -> bool:
        return item_id not in self.out

    def take_out(self, *item_ids: str) -> None:
        self.out |= {*item_ids}
        self.version += 1


def live(weights: dict[str, float], reference_ts_ms: int, clock: Clock, shop: Shop | None = None) -> LivePopularity:
    snapshot = Popularity(reference_ts_ms=reference_ts_ms, half_life_days=1.0, weights=weights)
    return LivePopularity(snapshot, 1.0, shop or Shop(), clock)


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


def test_favourites_that_are_not_sold_any_more_crowd_nothing_out() -> None:
    clock, shop = Clock(), Shop()
    season = {f"old-{number}": 50.0 for number in range(3_000)}
    popularity = live(season | {"new": 40.0}, 1_000, clock, shop)
    assert "new" not in order(popularity)
    shop.take_out(*season)
    clock.now_s = 10.0
    popularity.refresh()  # the shop has changed, though nobody did anything
    assert order(popularity)[-1] == "new"
    assert [item_id for item_id in order(popularity) if shop.is_sellable(item_id)] == ["new"]


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
