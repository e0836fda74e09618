"""All that a ranker knows of items, in four parts that age differently: fitted at training, redone as the log grows.

Counts are redone every day, habits and people every week (a second or two each), links at training. What turns an item
down is not counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.data.interactions import Interactions
from app.data.local_time import MS_PER_DAY
from model_server.model.sequences import NEGATIVE_KINDS
from model_server.ranking.counts import ItemCounts, count_items, first_times
from model_server.ranking.facts import ItemFacts
from model_server.ranking.habits import ItemHabits, item_habits
from model_server.ranking.links import Links, People, learn_links, pool_of, sample_people, without

_SPARE: Final = 1.25  # times what is kept may be there: cutting costs as much as sorting it


@dataclass(frozen=True, slots=True, eq=False)
class ItemTables:
    """See the module.

    Args:
        facts: of the catalog.
        zone: IANA name of the time zone in which people shop.
        links: what speaks for what.
        habits, people, habits_ms: how items are bought and by whom, and as of when.
        pool: (A,) items that may be shown to somebody who never had them, rising.
        column_of: (N,) the place of an item in the pool, -1 for others.
        counts, counts_ms: what sells, and as of when.
    """

    facts: ItemFacts
    zone: str
    links: Links
    habits: ItemHabits
    people: People
    habits_ms: int
    pool: NDArray[np.int64]
    column_of: NDArray[np.int64]
    counts: ItemCounts
    counts_ms: int


@dataclass(frozen=True, slots=True)
class Ages:
    """How old, in milliseconds, the two parts that are redone may become."""

    counts_ms: int = MS_PER_DAY
    habits_ms: int = 7 * MS_PER_DAY


NIGHTLY: Final = Ages()
"""What a shop has that counts every night and every week; every table of training is at most so old."""


def fit_tables(log: Interactions, facts: ItemFacts, zone: str, now_ms: int) -> ItemTables:
    """From everything in the log, which lies before `now_ms`."""
    log = _touched(log)
    links = learn_links(log, facts)
    first = first_times(log)
    counts = count_items(log, first, now_ms)
    habits = item_habits(log, facts, zone)
    pool = pool_of(habits.buyers)
    people = sample_people(log, first, pool, habits.buyers, now_ms)
    return ItemTables(
        facts, zone, links, habits, people, now_ms, pool, columns_of(pool, len(facts)), counts, counts_ms=now_ms
    )


class GrowingTables:
    """Tables that follow a log as it grows.

    Args:
        tables: fitted on `log`.
        log: what happened before.
        ages: how old they may become.
        most: so many of the newest interactions are kept at least, and a quarter more at most; None: all.

    Attributes:
        cut: the oldest were let go: there may be users of whom nothing is kept (`number_anew`).
    """

    def __init__(self, tables: ItemTables, log: Interactions, ages: Ages = NIGHTLY, most: int | None = None) -> None:
        self._tables = tables
        self._ages = ages
        self._most = most
        self.cut = False
        log = _touched(log)
        self._logs, self._firsts, self._known = [log], [first_times(log)], _pairs(log)

    def observe(self, events: Interactions) -> None:
        """These happened next, in time order among themselves; of users with higher numbers than before, too."""
        events = _touched(events)
        if not len(events):
            return
        pairs = events.users.astype(np.int64) * len(events.item_ids) + events.items
        self._firsts.append(first_times(events) & ~_among(pairs, self._known))
        self._logs.append(events)
        new = np.unique(pairs[self._firsts[-1]])
        self._known = np.insert(self._known, np.searchsorted(self._known, new), new)
        if self._most is not None and sum(map(len, self._logs)) > _SPARE * self._most:
            log = self._log().take(slice(-self._most, None))
            self._logs, self._firsts, self._known = [log], [first_times(log)], _pairs(log)
            self.cut = True

    def number_anew(self) -> NDArray[np.int64]:
        """Number those users of whom something is kept from 0 on; returns the numbers that they had, rising."""
        log, people = self._log(), self._tables.people
        kept = np.union1d(log.users, people.users).astype(np.int64)
        numbers = np.searchsorted(kept, log.users).astype(np.int32)
        log = replace(log, users=numbers, user_ids=("",) * len(kept))
        self._logs, self._known = [log], _pairs(log)
        people = replace(people, users=np.searchsorted(kept, people.users).astype(np.int64))
        self._tables = replace(self._tables, people=people)
        self.cut = False
        return kept

    def forget(self, users: NDArray[np.int64]) -> None:
        """Nothing that these did is left, and nobody is like them any more; counts lose them when they are redone."""
        kept = ~np.isin(self._log().users, users)
        self._logs, self._firsts = [self._logs[0].take(kept)], [self._firsts[0][kept]]
        self._known = self._known[~np.isin(self._known // len(self._logs[0].item_ids), users)]
        self._tables = replace(self._tables, people=without(self._tables.people, users))

    def at(self, now_ms: int) -> ItemTables:
        """The tables of that moment, at most as old as they may become; moments must not go back."""
        tables, ages = self._tables, self._ages
        if now_ms - tables.habits_ms >= ages.habits_ms:
            tables = self._recounted_habits(_latest(tables.habits_ms, ages.habits_ms, now_ms))
        if now_ms - tables.counts_ms >= ages.counts_ms:
            when = _latest(tables.counts_ms, ages.counts_ms, now_ms)
            log = self._log()
            tables = replace(tables, counts=count_items(log, self._firsts[0], when), counts_ms=when)
        self._tables = tables
        return tables

    def _recounted_habits(self, when_ms: int) -> ItemTables:
        tables, log = self._tables, self._log()
        until = int(np.searchsorted(log.ts_ms, when_ms))
        before = log.take(slice(0, until))
        habits = item_habits(before, tables.facts, tables.zone)
        pool = pool_of(habits.buyers)
        people = sample_people(before, self._firsts[0][:until], pool, habits.buyers, when_ms)
        columns = columns_of(pool, len(tables.facts))
        return replace(tables, habits=habits, people=people, habits_ms=when_ms, pool=pool, column_of=columns)

    def _log(self) -> Interactions:
        """Everything that is kept, in one piece."""
        log, firsts = joined(self._logs), np.concatenate(self._firsts)
        if (np.diff(log.ts_ms) < 0).any():  # somebody's past came late
            log = log.take(np.argsort(log.ts_ms, kind="stable"))
            firsts = first_times(log)
        self._logs, self._firsts = [log], [firsts]
        return log


def joined(logs: Sequence[Interactions]) -> Interactions:
    """One log behind the other, users as numbered in the last; those columns that all of them have."""
    if len(logs) == 1:
        return logs[0]
    places = [log.places for log in logs if log.places is not None]
    return replace(
        logs[-1],
        users=np.concatenate([log.users for log in logs]),
        items=np.concatenate([log.items for log in logs]),
        kinds=np.concatenate([log.kinds for log in logs]),
        ts_ms=np.concatenate([log.ts_ms for log in logs]),
        ratings=np.concatenate([log.ratings for log in logs]),
        places=np.concatenate(places) if len(places) == len(logs) else None,
        baskets=None,
        quantities=None,
    )


def _touched(log: Interactions) -> Interactions:
    """Without what turns an item down."""
    turned_down = np.isin(log.kinds, sorted(NEGATIVE_KINDS))
    return log.take(~turned_down) if turned_down.any() else log


def _pairs(log: Interactions) -> NDArray[np.int64]:
    pairs: NDArray[np.int64] = np.unique(log.users.astype(np.int64) * len(log.item_ids) + log.items)
    return pairs


def _among(numbers: NDArray[np.int64], sorted_numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
    if not len(sorted_numbers):
        return np.zeros(len(numbers), np.bool_)
    places = np.minimum(np.searchsorted(sorted_numbers, numbers), len(sorted_numbers) - 1)
    found: NDArray[np.bool_] = sorted_numbers[places] == numbers
    return found


def _latest(start_ms: int, every_ms: int, now_ms: int) -> int:
    """The latest of the moments start, start + every, ... that is not after now."""
    return start_ms + (now_ms - start_ms) // every_ms * every_ms


def columns_of(pool: NDArray[np.int64], items: int) -> NDArray[np.int64]:
    """(N,) the place of each item in the pool, -1 for those that are not in it."""
    columns = np.full(items, -1, np.int64)
    columns[pool] = np.arange(len(pool))
    return columns
