"""Co-visitation: what follows an item closely in people's histories. Counted as events come, faded, bounded. Pure.

A pair (a, then b, k steps later, k <= 10, by one user) adds 1/k to a -> b and half of that to b -> a. A history's score
of b is the sum over its newest items a, the m-th newest (from 0) weighted .8^m, of (a -> b) / (n_a n_b^(1/4)), with n
the number of times that an item occurred.

Counts halve every half-life of *event* time. Forward decay (Cormode et al., ICDE 2009): an event at `ts` counts
2 ** ((ts - landmark) / half life) once and for all. A score is a ratio of such counts, so nothing is recomputed.

An item keeps at most K neighbours. To a full row a newcomer comes in the place of the weakest neighbour that is weaker
than it; otherwise it weakens that neighbour by its own weight, so that what keeps coming gets in (after Misra and
Gries, 1982). As long as no row was full, the counts are exact.

This module does not know item ids, user ids, Kafka or threads: items and users are row numbers.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model_server.counts.entries import Entries, Readings
from model_server.counts.neighbours import NeighbourTable, Reading

READING: Final = Reading(recency=0.8, length=20)
"""How a history is read: the formula's weights, as far back as they matter."""

NOTHING: Final = -1
_MS_PER_DAY: Final = 86_400_000
_BATCH: Final = 1_000  # events counted at once: larger ones leave the cache
_MAX_EXPONENT: Final = 20.0  # then the landmark moves; a float32 holds 2 ** 126
_ROW_BITS: Final = 32


@dataclass(frozen=True, slots=True)
class CoVisitationOptions:
    """The formula's numbers, and the bounds.

    Args:
        half_life_days: of a count, in event time.
        neighbours: K.
        max_items: items with a row; those with higher numbers are not counted.
        window: how many earlier interactions of its user an event is paired with.
        backward: what a -> b is worth for b -> a.
        popularity_power: of n_b.
    """

    half_life_days: float = 365.0
    neighbours: int = 128
    max_items: int = 200_000
    window: int = 10
    backward: float = 0.5
    popularity_power: float = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class CountedPairs:
    """Everything counted until `reference_ts_ms`, faded to it; without anybody's history.

    Args:
        pairs: a -> b, N items.
        counts: (N,) float64, n.
        reference_ts_ms: the newest event counted; 0 where there was none.
    """

    pairs: NeighbourTable
    counts: NDArray[np.float64]
    reference_ts_ms: int

    @classmethod
    def none(cls, items: int) -> "CountedPairs":
        """Of so many items nothing was counted yet."""
        return cls(NeighbourTable.empty(items), np.zeros(items), 0)


class CoVisitation:
    """See the module. Mutable, not thread-safe. Memory: 8 K bytes an item and 4 bytes x window a user.

    Args:
        options: the formula and the bounds.
        start: where counting goes on from; None: from nothing.
    """

    def __init__(self, options: CoVisitationOptions, start: CountedPairs | None = None) -> None:
        self._options = options
        self._half_life_ms = options.half_life_days * _MS_PER_DAY
        self._landmark_ms = self.newest_ts_ms = start.reference_ts_ms if start else 0
        self.cut = 0  # pairs that found a full row
        self._windows = np.full((0, options.window), NOTHING, np.int32)
        self._neighbours = np.full((0, options.neighbours), NOTHING, np.int32)
        self._weights = np.zeros((0, options.neighbours), np.float32)
        self._counts = np.zeros(0)
        self._damping = np.zeros(0)  # n_b ** -power
        if start is not None:
            self._take_over(start)

    def observe(self, users: NDArray[np.integer], items: NDArray[np.integer], ts_ms: NDArray[np.int64]) -> None:
        """Count the pairs that these events complete.

        Args:
            users: (E,) row numbers; each user's events in their order.
            items: (E,) row numbers.
            ts_ms: (E,) event times.
        """
        for start in range(0, len(items), _BATCH):
            part = slice(start, start + _BATCH)
            self._observe(users[part].astype(np.int64), items[part].astype(np.int64), ts_ms[part])

    def follow(self, users: NDArray[np.integer], items: NDArray[np.integer]) -> None:
        """Remember these events as their users' newest, without counting them: they were counted before."""
        known = items < self._options.max_items
        if known.any():
            self._grow(int(items[known].max()) + 1)
            self._paired(users[known].astype(np.int64), items[known].astype(np.int64))

    def forget(self, user: int) -> None:
        """The row number is another user's from now on."""
        if user < len(self._windows):
            self._windows[user] = NOTHING

    def read(self, readings: Readings) -> Entries:
        """What histories speak for, an entry for each pair of a read item and its neighbour."""
        known = readings.of_items_below(len(self._counts))
        readable = known.kept(self._counts[known.items] > 0)
        neighbours = self._neighbours[readable.items].ravel().astype(np.int64)
        worth = self._weights[readable.items] * (readable.weights / self._counts[readable.items])[:, None]
        users, worth = np.repeat(readable.users, self._options.neighbours), worth.ravel()
        held = neighbours != NOTHING
        if not held.all():
            neighbours, users, worth = neighbours[held], users[held], worth[held]
        return Entries(users, neighbours, worth * self._damping[neighbours])

    def snapshot(self, items: int) -> CountedPairs:
        """What was counted of the first so many items, as a copy."""
        self._grow(min(items, self._options.max_items))
        now = 2.0 ** -((self.newest_ts_ms - self._landmark_ms) / self._half_life_ms)
        neighbours, weights = self._neighbours[:items], self._weights[:items]
        held = (neighbours != NOTHING) & (neighbours < items) & (weights > 0)
        pairs = NeighbourTable(
            starts=np.append(0, np.cumsum(held.sum(axis=1))),
            neighbours=neighbours[held],
            weights=(weights[held] * now).astype(np.float32),
        )
        return CountedPairs(pairs, self._counts[:items] * now, self.newest_ts_ms)

    def _observe(self, users: NDArray[np.int64], items: NDArray[np.int64], ts_ms: NDArray[np.int64]) -> None:
        counted = items < self._options.max_items
        users, items, ts_ms = users[counted], items[counted], ts_ms[counted]
        if not len(items):
            return
        self._grow(int(items.max()) + 1)
        shares = self._shares(ts_ms)
        order, earlier = self._paired(users, items)
        later, shares_in_order = items[order], shares[order]
        events, places = np.nonzero(earlier != NOTHING)
        before, after = earlier[events, places].astype(np.int64), later[events]
        weights = shares_in_order[events] / (places + 1)
        self._add(
            np.concatenate((before, after)),
            np.concatenate((after, before)),
            np.concatenate((weights, self._options.backward * weights)),
        )
        np.add.at(self._counts, items, shares)
        touched = np.unique(items)
        self._damping[touched] = self._counts[touched] ** -self._options.popularity_power

    def _shares(self, ts_ms: NDArray[np.int64]) -> NDArray[np.float64]:
        """(E,) what each event counts for."""
        newest = int(ts_ms.max())
        if not self.newest_ts_ms:
            self._landmark_ms = newest
        if (newest - self._landmark_ms) / self._half_life_ms > _MAX_EXPONENT:
            faded = 2.0 ** ((self._landmark_ms - newest) / self._half_life_ms)
            self._weights *= np.float32(faded)
            self._counts *= faded
            self._damping[self._counts > 0] = self._counts[self._counts > 0] ** -self._options.popularity_power
            self._landmark_ms = newest
        self.newest_ts_ms = max(self.newest_ts_ms, newest)
        shares: NDArray[np.float64] = np.exp2((ts_ms - self._landmark_ms) / self._half_life_ms)
        return shares

    def _paired(self, users: NDArray[np.int64], items: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
        """The events by user, and (E, window) what each one's user did 1, 2, ... steps before; windows move on."""
        window = self._options.window
        self._know(int(users.max()) + 1)
        order = np.argsort(users, kind="stable")
        whose, sizes = np.unique(users[order], return_counts=True)
        # Everybody's window and then events, one behind the other: what was k steps before lies k places before.
        ends = np.cumsum(sizes + window)
        line = np.empty(int(ends[-1]), np.int32)
        places = np.arange(len(users)) + window * (np.repeat(np.arange(len(whose)), sizes) + 1)
        line[places] = items[order]
        line[(ends - sizes)[:, None] - np.arange(window, 0, -1)] = self._windows[whose]
        self._windows[whose] = line[ends[:, None] - np.arange(window, 0, -1)]
        return order, line[places[:, None] - np.arange(1, window + 1)]

    def _add(self, rows: NDArray[np.int64], neighbours: NDArray[np.int64], weights: NDArray[np.float64]) -> None:
        pairs, place_of = np.unique(rows << _ROW_BITS | neighbours, return_inverse=True)
        added = np.bincount(place_of, weights=weights, minlength=len(pairs)).astype(np.float32)
        rows, neighbours = pairs >> _ROW_BITS, pairs & ((1 << _ROW_BITS) - 1)
        here = self._neighbours[rows] == neighbours[:, None]
        places = here.argmax(axis=1)
        held = here[np.arange(len(rows)), places]
        self._weights[rows[held], places[held]] += added[held]
        if not held.all():
            self._admit(rows[~held], neighbours[~held], added[~held])

    def _admit(self, rows: NDArray[np.int64], neighbours: NDArray[np.int64], weights: NDArray[np.float32]) -> None:
        """Newcomers, no two the same: a row's strongest one meets its weakest neighbour, the next one the next."""
        order = np.lexsort((-weights, rows))
        rows, neighbours, weights = rows[order], neighbours[order], weights[order]
        changed, first, number = np.unique(rows, return_index=True, return_inverse=True)
        rank = np.arange(len(rows)) - first[number]
        met = rank < self._options.neighbours
        weakest = np.argsort(self._weights[changed], axis=1, kind="stable")
        rows, neighbours, weights = rows[met], neighbours[met], weights[met]
        places = weakest[number[met], rank[met]]
        theirs = self._weights[rows, places]
        self.cut += len(met) - int((theirs <= 0).sum())
        wins = weights > theirs
        self._weights[rows, places] = np.where(wins, weights, theirs - weights)
        self._neighbours[rows[wins], places[wins]] = neighbours[wins]

    def _grow(self, items: int) -> None:
        """Room for so many items; twice as much each time."""
        held = len(self._counts)
        if items > held:
            more = min(max(items, 2 * held), self._options.max_items) - held
            shape = (more, self._options.neighbours)
            self._neighbours = np.concatenate((self._neighbours, np.full(shape, NOTHING, np.int32)))
            self._weights = np.concatenate((self._weights, np.zeros(shape, np.float32)))
            self._counts = np.concatenate((self._counts, np.zeros(more)))
            self._damping = np.concatenate((self._damping, np.zeros(more)))

    def _know(self, users: int) -> None:
        held = len(self._windows)
        if users > held:
            more = np.full((max(users, 2 * held) - held, self._options.window), NOTHING, np.int32)
            self._windows = np.concatenate((self._windows, more))

    def _take_over(self, start: CountedPairs) -> None:
        items, table = min(len(start.counts), self._options.max_items), start.pairs
        self._grow(items)
        self._counts[:items] = start.counts[:items]
        counted = self._counts > 0
        self._damping[counted] = self._counts[counted] ** -self._options.popularity_power
        # Each row's strongest first, in case there is less room than there was.
        rows = np.repeat(np.arange(table.items), np.diff(table.starts))
        order = np.lexsort((-table.weights, rows))
        places = np.arange(len(rows)) - table.starts[rows]
        neighbours = table.neighbours[order]
        fits = (rows < items) & (neighbours < items) & (places < self._options.neighbours)
        self._neighbours[rows[fits], places[fits]] = neighbours[fits]
        self._weights[rows[fits], places[fits]] = table.weights[order][fits]
