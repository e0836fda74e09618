"""What a ranker knows of items while the shop goes on: a version's tables, then the live events behind its log.

Whoever follows the events only writes them down (`observe`); now and then all of it is redone from the whole log
(`redo`), which takes a second or so and belongs into a thread of its own. Whoever makes lists reads `known`, which is
exchanged whole. It is the code of training, so a list rests on the numbers that the trees were grown on.

Bounded: as many interactions as a version holds, and a quarter more, and their people. This module does not know Kafka.
"""

import threading
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.contracts.catalog import Promotion
from app.data.interactions import Interactions
from app.data.local_time import MS_PER_DAY
from app.interests.state import Kind
from model_server.ranking.files import StoredRanker
from model_server.ranking.lines import NOWHERE
from model_server.ranking.names import fingerprints
from model_server.ranking.people import NOBODY, PeopleNumbers
from model_server.ranking.promotion import Promoting, nothing_promoted, promoting_now
from model_server.ranking.tables import Ages, GrowingTables, ItemTables

LIVE: Final = Ages(counts_ms=1, habits_ms=7 * MS_PER_DAY)
"""Counts are redone whenever there is news, habits and people every week."""

_STALE_MS: Final = MS_PER_DAY  # without news: as old as in training

MOST_KEPT: Final = 2_000_000
"""Interactions."""

Promoted = Callable[[], Mapping[str, Sequence[Promotion]]]
"""The promotions of each item that has any, as the catalog says now."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """One state of the shop: the tables, what is promoted, and the numbers of the sampled people by fingerprint."""

    tables: ItemTables
    promoting: Promoting
    people: Mapping[int, int]

    def number(self, person: int) -> int:
        """Of the person with this fingerprint, `NOBODY` for one who is not in the sample."""
        return self.people.get(person, NOBODY)


def _numbers() -> "array[int]":
    return array("q")


@dataclass(slots=True)
class _Waiting:
    """What came since the last time; of whom to forget, how much of it came before that."""

    people: "array[int]" = field(default_factory=_numbers)
    items: "array[int]" = field(default_factory=_numbers)
    places: "array[int]" = field(default_factory=_numbers)
    ts_ms: "array[int]" = field(default_factory=_numbers)
    forgotten: dict[int, int] = field(default_factory=dict)


class LiveTables:
    """See the module. `observe` and `forget` are called in one thread, `redo` in another.

    Args:
        stored: the version's.
        promoted: read whenever all is redone, where the ranker learned from promotions.
        most: so many of the newest interactions are kept at least.
    """

    def __init__(self, stored: StoredRanker, promoted: Promoted, most: int = MOST_KEPT) -> None:
        names, log = stored.names, stored.log
        self.number_of: Mapping[str, int] = {item_id: number for number, item_id in enumerate(names.item_ids)}
        self.place_of: Mapping[str, int] = {place_id: number for number, place_id in enumerate(names.place_ids)}
        self._until_ms = int(log.ts_ms[-1]) if len(log) else -1
        self._newest_ms = self._until_ms
        self._people = PeopleNumbers(names.people)
        self._growing = GrowingTables(stored.tables, log, LIVE, most)
        self._log = log.take(slice(0))
        self._promoted: Promoted = promoted if stored.promotions else dict
        self._on: Mapping[str, Sequence[Promotion]] = {}
        self._redone_ms = 0
        self._lock = threading.Lock()
        self._waiting = _Waiting()
        self.known = self._know(stored.tables, nothing_promoted)

    @property
    def waiting(self) -> int:
        """How many interactions were written down since the last time."""
        return len(self._waiting.items)

    @property
    def people(self) -> int:
        """How many people have a number."""
        return len(self._people)

    @property
    def urgent(self) -> bool:
        """Whether somebody is to be forgotten."""
        return bool(self._waiting.forgotten)

    def observe(self, user_id: str, item_id: str, place: str | None, ts_ms: int) -> bool:
        """Write down what happened; False where the version knew it, or knows no such item."""
        item = self.number_of.get(item_id)
        if item is None or ts_ms <= self._until_ms:
            return False
        person = int(fingerprints([user_id])[0])
        number = NOWHERE if place is None else self.place_of.get(place, NOWHERE)
        with self._lock:
            waiting = self._waiting
            waiting.people.append(person)
            waiting.items.append(item)
            waiting.places.append(number)
            waiting.ts_ms.append(ts_ms)
        return True

    def forget(self, user_id: str) -> None:
        """Nothing that this person did until now may be left after the next `redo`."""
        with self._lock:
            self._waiting.forgotten[int(fingerprints([user_id])[0])] = len(self._waiting.items)

    def redo(self, now_ms: int) -> None:
        """Take in what was written down, and exchange `known` where there is news or it is a day old."""
        with self._lock:
            waiting, self._waiting = self._waiting, _Waiting()
        on = self._promoted()
        news = waiting.items or waiting.forgotten or on != self._on
        if not news and now_ms - self._redone_ms < _STALE_MS:
            return
        self._redone_ms = now_ms
        if waiting.forgotten:
            numbers = self._people.find(np.array(list(waiting.forgotten), np.int64))
            numbers = numbers[numbers != NOBODY]
            self._growing.forget(numbers)
            self._people.forget(numbers)
        self._growing.observe(self._events(waiting, now_ms))
        if self._growing.cut:
            self._people.keep(self._growing.number_anew())  # visitors come and go, their numbers, too
        promoting = self.known.promoting
        if on != self._on:
            promoting = promoting_now(on, self.number_of, self.place_of)
            self._on = on
        self.known = self._know(self._growing.at(max(now_ms, self._newest_ms) + 1), promoting)

    def _know(self, tables: ItemTables, promoting: Promoting) -> Known:
        users = tables.people.users
        of = self._people.fingerprints(users)
        return Known(tables, promoting, dict(zip(of.tolist(), users.tolist(), strict=True)))

    def _events(self, waiting: _Waiting, now_ms: int) -> Interactions:
        """In time order among themselves; one that is ahead of the clock counts as of now.

        Some may be older than what is known: after a start, one partition's backlog is read behind another's.
        """
        people, items, places, ts_ms = (
            np.array(column, np.int64) for column in (waiting.people, waiting.items, waiting.places, waiting.ts_ms)
        )
        kept = ~_withdrawn(people, waiting.forgotten)
        ts_ms = np.minimum(ts_ms, max(now_ms, self._newest_ms))
        order = np.flatnonzero(kept)[np.argsort(ts_ms[kept], kind="stable")]
        self._newest_ms = int(ts_ms[order].max(initial=self._newest_ms))
        numbers = self._people.welcome(people[order])
        return replace(
            self._log,
            users=numbers.astype(np.int32),
            items=items[order].astype(np.int32),
            kinds=np.full(len(order), Kind.VIEW, np.int8),  # nothing turns the item down; more no table asks
            ts_ms=ts_ms[order],
            ratings=np.full(len(order), np.nan, np.float32),
            user_ids=("",) * len(self._people),
            places=None if self._log.places is None else places[order].astype(np.int32),
        )


def _withdrawn(people: NDArray[np.int64], forgotten: Mapping[int, int]) -> NDArray[np.bool_]:
    """(E,) whether somebody did it before they wanted to be forgotten."""
    gone = np.zeros(len(people), np.bool_)
    for person, until in forgotten.items():
        gone[:until] |= people[:until] == person
    return gone
