"""A version's tables go on behind its log: what others do counts once, and whoever wants to be forgotten is."""

from collections.abc import Iterable
from dataclasses import fields

import numpy as np

from app.contracts.catalog import Promotion
from app.data.interactions import Interactions
from app.interests.state import Kind
from model_server.ranking.candidates import CandidateOptions
from model_server.ranking.counts import ItemCounts, PlaceCounts, count_items, first_times
from model_server.ranking.facts import facts_of
from model_server.ranking.files import StoredRanker
from model_server.ranking.lines import Moments
from model_server.ranking.live import LIVE, LiveTables
from model_server.ranking.names import fingerprints, names_of
from model_server.ranking.people import NOBODY, PeopleNumbers
from model_server.ranking.ranker import Ranker, RankingOptions
from model_server.ranking.tables import GrowingTables, fit_tables
from tests.support.model import DAY_MS, dataset_of, interactions_of

PEOPLE, ITEMS, DAYS = 30, 12, 40
CUT = 600


def log() -> Interactions:
    """Everybody takes something every day; seeded."""
    rng = np.random.default_rng(5)
    times = np.sort(rng.integers(DAYS * DAY_MS, size=PEOPLE * DAYS)).tolist()
    rows = [(int(rng.integers(PEOPLE)), int(rng.integers(ITEMS)), ts_ms) for ts_ms in times]
    made = interactions_of(rows, PEOPLE, ITEMS, Kind.PURCHASE)
    values = {name: getattr(made, name) for name in made.__dataclass_fields__}
    places = rng.integers(-1, 2, size=len(rows)).astype(np.int32)
    return Interactions(**values | {"places": places, "place_ids": ("north", "south")})


def stored(part: Interactions, *, promotions: bool = False) -> StoredRanker:
    """A version's ranker without trees."""
    tables = fit_tables(part, facts_of(dataset_of(part).catalog), "UTC", int(part.ts_ms[-1]))
    nothing_grown = Ranker([], RankingOptions(CandidateOptions()))
    return StoredRanker(nothing_grown, tables, part, names_of(part), promotions)


def live_of(part: Interactions, *, promotions: bool = False) -> LiveTables:
    promoted = {"item-3": (Promotion(place="south", mailer=2), Promotion(display=1))}
    return LiveTables(stored(part, promotions=promotions), lambda: promoted)


def tell(live: LiveTables, events: Interactions) -> int:
    """How many were new."""
    assert events.places is not None
    columns = zip(events.users, events.items, events.places, events.ts_ms, strict=True)
    return sum(
        live.observe(f"user-{user}", f"item-{item}", None if place < 0 else events.place_ids[place], int(ts_ms))
        for user, item, place, ts_ms in columns
    )


def assert_same(got: ItemCounts, wanted: ItemCounts) -> None:
    for field in fields(ItemCounts):
        one, other = getattr(got, field.name), getattr(wanted, field.name)
        if isinstance(one, PlaceCounts):
            assert one.keys.tolist() == other.keys.tolist()
            one, other = one.values, other.values
        np.testing.assert_allclose(one, other, rtol=1e-5, err_msg=field.name)


def test_they_are_those_of_the_whole_log_whatever_the_version_knew_of_it() -> None:
    whole = log()
    live = live_of(whole.take(slice(0, CUT)))
    assert tell(live, whole.take(slice(0, 900))) == 900 - CUT  # the topic still holds what the version has counted
    live.redo(int(whole.ts_ms[899]))
    tell(live, whole.take(slice(900, None)))
    live.redo(int(whole.ts_ms[-1]))
    assert_same(live.known.tables.counts, count_items(whole, first_times(whole), int(whole.ts_ms[-1]) + 1))


def test_a_partition_that_is_read_behind_another_keeps_its_times() -> None:
    whole = log()
    live = live_of(whole.take(slice(0, CUT)))
    later = np.arange(CUT, len(whole))
    even = whole.users[CUT:] % 2 == 0
    now_ms = int(whole.ts_ms[-1])
    for moment, part in enumerate((later[even], later[~even])):
        tell(live, whole.take(part))
        live.redo(now_ms + moment)
    assert_same(live.known.tables.counts, count_items(whole, first_times(whole), now_ms + 2))


def test_without_news_nothing_is_exchanged_for_a_day() -> None:
    live = live_of(log())
    live.redo(DAYS * DAY_MS)
    before = live.known
    live.redo(DAYS * DAY_MS + 60_000)
    assert live.known is before
    live.redo((DAYS + 1) * DAY_MS)
    assert live.known.tables.counts.popular.sum() < before.tables.counts.popular.sum()


def test_garbage_in_the_events_takes_no_place_and_new_people_are_welcome() -> None:
    whole = log()
    live, now_ms = live_of(whole), DAYS * DAY_MS + 1
    assert not live.observe("user-1", "nothing", None, now_ms)
    assert live.observe("stranger", "item-1", "nowhere", now_ms)
    before = live.known.tables.counts
    live.redo(now_ms + 1)
    after = live.known.tables.counts
    assert after.first_now[1] > before.first_now[1] + 0.9
    assert after.here.sum_of(0, ITEMS) + after.here.sum_of(1, ITEMS) <= before.here.values.sum()


def test_one_that_is_ahead_of_its_time_counts_as_of_now() -> None:
    live, now_ms = live_of(log()), DAYS * DAY_MS
    live.observe("user-1", "item-1", None, now_ms + 300 * DAY_MS)
    live.redo(now_ms)
    assert live.known.tables.counts_ms == now_ms + 1


def test_who_is_forgotten_is_nobodys_neighbour_at_once_and_a_stranger_later() -> None:
    whole = log()
    live, now_ms = live_of(whole), DAYS * DAY_MS + 1
    person = int(fingerprints(["user-7"])[0])
    assert live.known.number(person) == 7
    live.observe("user-7", "item-2", None, now_ms)
    live.forget("user-7")
    assert live.urgent
    live.redo(now_ms)
    people = live.known.tables.people
    assert live.known.number(person) == NOBODY
    assert 7 not in people.users.tolist()
    assert people.vectors.shape[1] == people.bought.shape[0] == len(people.users) == PEOPLE - 1
    live.observe("user-7", "item-2", None, now_ms)
    week_later_ms = now_ms + 8 * DAY_MS  # all is counted anew, people too
    live.redo(week_later_ms)
    others, again = whole.take(whole.users != 7), interactions_of([(PEOPLE, 2, now_ms)], PEOPLE + 1, ITEMS)
    growing = GrowingTables(stored(others).tables, others, LIVE)
    growing.observe(again)
    assert live.known.number(person) == PEOPLE
    got, wanted = live.known.tables.counts, growing.at(week_later_ms + 1).counts
    np.testing.assert_allclose((got.popular, got.first), (wanted.popular, wanted.first), rtol=1e-5)


def test_only_the_newest_of_the_log_are_kept() -> None:
    whole = log()
    growing = GrowingTables(stored(whole.take(slice(0, 400))).tables, whole.take(slice(0, 400)), LIVE, most=400)
    growing.observe(whole.take(slice(400, 1_000)))
    end_ms = int(whole.ts_ms[999]) + 1
    kept = whole.take(slice(600, 1_000))
    assert_same(growing.at(end_ms).counts, count_items(kept, first_times(kept), end_ms))


def test_visitors_who_are_gone_leave_their_numbers() -> None:
    """Strangers who come once, beside the same tables of people who are numbered once and for all."""
    whole, strangers, at_once = log(), 3_000, 100
    live = LiveTables(stored(whole), dict, most=400)
    alone = GrowingTables(stored(whole).tables, whole, LIVE, most=400)
    for begin in range(0, strangers, at_once):
        numbers = range(begin, begin + at_once)
        rows = [(PEOPLE + number, number % ITEMS, DAYS * DAY_MS + 600_000 * number) for number in numbers]
        for user, item, ts_ms in rows:
            live.observe(f"user-{user}", f"item-{item}", None, ts_ms)
        live.redo(rows[-1][2])
        alone.observe(interactions_of(rows, PEOPLE + begin + at_once, ITEMS))
        tables = alone.at(rows[-1][2] + 1)
    assert live.people <= 2 * 500 + at_once  # of the log, and of the sample of a week ago
    assert_same(live.known.tables.counts, tables.counts)
    known = live.known
    sample = fingerprints(f"user-{user}" for user in tables.people.users).tolist()
    assert set(sample) == known.people.keys()
    columns = np.searchsorted(known.tables.people.users, [known.people[person] for person in sample])
    vectors = known.tables.people.vectors.toarray()[:, columns]
    np.testing.assert_array_equal(vectors, tables.people.vectors.toarray())


def test_what_turns_an_item_down_is_not_counted() -> None:
    part, end_ms = log(), DAYS * DAY_MS
    growing = GrowingTables(stored(part).tables, part, LIVE)
    growing.observe(interactions_of([(0, 1, end_ms), (0, 2, end_ms)], PEOPLE, ITEMS, Kind.DISLIKE))
    assert_same(growing.at(end_ms + 1).counts, count_items(part, first_times(part), end_ms + 1))


def here(places: Iterable[int]) -> Moments:
    at, nothing = np.array(list(places), np.int32), np.zeros(0, np.int64)
    return Moments(np.zeros(len(at), np.int64), np.zeros(len(at), np.int64), at, nothing, nothing)


def test_what_the_catalog_promotes_is_known_where_the_ranker_learned_from_it() -> None:
    live = live_of(log(), promotions=True)
    live.redo(0)
    promoted = live.known.promoting(here([-1, 0, 1]))
    assert promoted.owners.tolist() == [0, 1, 2]
    assert promoted.items.tolist() == [3, 3, 3]
    assert promoted.displays.tolist() == [1, 1, 1]
    assert promoted.mailers.tolist() == [0, 0, 2]
    untaught = live_of(log())
    untaught.redo(0)
    assert not len(untaught.known.promoting(here([-1, 0, 1])).items)


def test_people_are_found_by_their_fingerprints() -> None:
    people = PeopleNumbers(np.array([50, -4, 7]))
    assert people.find(np.array([7, 8, 50])).tolist() == [2, NOBODY, 0]
    assert people.welcome(np.array([9, 8, 9, -4])).tolist() == [4, 3, 4, 1]
    people.forget(np.array([1]))
    assert people.find(np.array([-4, 8])).tolist() == [NOBODY, 3]
    assert PeopleNumbers(np.zeros(0, np.int64)).find(np.array([1])).tolist() == [NOBODY]
