"""What a model has to beat: popularity, recency-decayed popularity, co-visitation. All of them count as they go."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.data.interactions import Interactions
from app.data.popularity import MS_PER_DAY
from model_server.evaluation.cases import Cases


class Popularity:
    """How often an item occurred so far.

    Args:
        items: size of the catalog.
    """

    online = True

    def __init__(self, items: int) -> None:
        self._counts = np.zeros(items)

    def scores(self, cases: Cases) -> NDArray[np.floating]:
        """(B, N): the same for everybody."""
        return np.tile(self._counts, (len(cases), 1))

    def observe(self, events: Interactions) -> None:
        """Count these."""
        self._counts += np.bincount(events.items, minlength=len(self._counts))


class DecayedPopularity:
    """Popularity in which an event counts half after `half_life_days`.

    Instead of letting all counts fade, newer events count more: the order is the same.

    Args:
        items: size of the catalog.
        half_life_days: see above.
    """

    online = True

    def __init__(self, items: int, half_life_days: float) -> None:
        self._counts = np.zeros(items)
        self._half_life_ms = half_life_days * MS_PER_DAY
        self._newest_ms = 0

    def scores(self, cases: Cases) -> NDArray[np.floating]:
        """(B, N): the same for everybody."""
        return np.tile(self._counts, (len(cases), 1))

    def observe(self, events: Interactions) -> None:
        """Fade to the newest of these, then count them."""
        if not len(events):
            return
        newest_ms = int(events.ts_ms[-1])
        self._counts *= 0.5 ** ((newest_ms - self._newest_ms) / self._half_life_ms)
        weights = 0.5 ** ((newest_ms - events.ts_ms) / self._half_life_ms)
        self._counts += np.bincount(events.items, weights=weights, minlength=len(self._counts))
        self._newest_ms = newest_ms


class CoVisitation:
    """Items that follow the user's newest ones closely in other users' histories.

    A pair (a, then b, k steps later, k <= 10, by one user) adds 1/k to a -> b and half of that to b -> a. The score of
    b is the sum over the user's newest items a, the m-th newest weighted .8^m, of (a -> b) / (n_a n_b^(1/4)), with n
    the number of times an item occurred. Keeps one row of N counts per item that occurred.

    Args:
        items: size of the catalog.
    """

    online = True
    _WINDOW: Final = 10
    _BACKWARD: Final = 0.5
    _RECENCY: Final = 0.8
    _READ: Final = 20
    _POPULARITY_POWER: Final = 0.25

    def __init__(self, items: int) -> None:
        self._items = items
        self._rows: dict[int, NDArray[np.float32]] = {}
        self._counts = np.zeros(items)
        self._recent: dict[int, list[int]] = {}

    def scores(self, cases: Cases) -> NDArray[np.floating]:
        """(B, N); zeros for an empty history."""
        scores = np.zeros((len(cases), self._items))
        for row, history in enumerate(cases.histories):
            for age, item in enumerate(history.items[: -self._READ - 1 : -1].tolist()):
                if item in self._rows:
                    scores[row] += self._RECENCY**age / self._counts[item] * self._rows[item]
        damped: NDArray[np.floating] = scores / np.maximum(self._counts, 1.0) ** self._POPULARITY_POWER
        return damped

    def observe(self, events: Interactions) -> None:
        """Count the pairs that these complete."""
        for user, item in zip(events.users.tolist(), events.items.tolist(), strict=True):
            recent = self._recent.setdefault(user, [])
            for distance, earlier in enumerate(reversed(recent), start=1):
                self._row(earlier)[item] += 1 / distance
                self._row(item)[earlier] += self._BACKWARD / distance
            recent.append(item)
            del recent[: -self._WINDOW]
            self._counts[item] += 1

    def _row(self, item: int) -> NDArray[np.float32]:
        if item not in self._rows:
            self._rows[item] = np.zeros(self._items, dtype=np.float32)
        return self._rows[item]
