"""What is popular with everybody, from the first event on or fading. Both count as they go."""

import numpy as np
from numpy.typing import NDArray

from app.data.interactions import Interactions
from app.data.popularity import MS_PER_DAY
from model_server.judging.cases import Cases


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
