"""Which items follow which, counted as it happens."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.data.interactions import Interactions
from model_server.evaluation.cases import Cases


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
