"""Which items follow which, counted as it happens: the counts that the model server keeps live, alone."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.data.interactions import Interactions
from model_server.counts.covisitation import READING, CoVisitationOptions
from model_server.counts.covisitation import CoVisitation as Counts
from model_server.counts.entries import newest_readings
from model_server.judging.cases import Cases

_NEVER_FADE: Final = 1e9
_EVERY_NEIGHBOUR: Final = 2_048  # a larger catalog is cut there


class CoVisitation:
    """The formula of model_server.counts.covisitation without its bounds: nothing fades, and nearly nothing is cut.

    Args:
        items: size of the catalog.
    """

    online = True

    def __init__(self, items: int) -> None:
        self._items = items
        self._counts = Counts(CoVisitationOptions(_NEVER_FADE, min(items, _EVERY_NEIGHBOUR), max_items=items))

    def scores(self, cases: Cases) -> NDArray[np.floating]:
        """(B, N); zeros for an empty history."""
        lengths = [len(history) for history in cases.histories]
        users = np.repeat(np.arange(len(cases)), lengths)
        items = np.concatenate([*(history.items for history in cases.histories), np.zeros(0, np.int32)])
        found = self._counts.read(newest_readings(users, items.astype(np.int64), READING.length, READING.recency))
        cells = len(cases) * self._items
        worth = np.bincount(found.users * self._items + found.items, found.worth, cells).astype(np.float64)
        return worth.reshape(len(cases), self._items)

    def observe(self, events: Interactions) -> None:
        """Count the pairs that these complete."""
        self._counts.observe(events.users, events.items, events.ts_ms)
