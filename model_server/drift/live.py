"""Drift while a version serves: live events and lists, held against what the version was trained on, as gauges.

Counts are of about the newest ten thousand: at twenty thousand everything is halved. So memory is a few dozen numbers,
and the gauges follow the shop at any rate of events. Lists have no reference at training (they are made by the settings
of the shop): the first lists that a process makes of a version are theirs.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.observability import Metrics
from app.surfaces.surface import Source
from app.surfaces.touches import History
from model_server import metrics as table
from model_server.drift.psi import psi
from model_server.drift.reference import (
    ACTIVITY,
    ITEM_BINS,
    KIND_BINS,
    UNTRAINED,
    Reference,
    activity_bin,
    tenths_of,
)
from model_server.hybrid.blend import BLENDED
from model_server.popularity.told import Told
from model_server.scoring.scorer import Score, Scored

WATCHED: Final = ("kinds", "items", "activity", "sources", "shown")
"""What has a gauge: events by kind, events by the item's popularity, users by what they did before; and of lists the
places by source, and by the item's popularity."""

_MOST: Final = 20_000
_LEAST: Final = 1_000  # fewer say too little: PSI of 11 bins is .01 by chance alone
_FIRST_LISTS: Final = 10_000  # places
_EVERY_S: Final = 5.0
_SOURCES: Final = (*(source.value for source in BLENDED), *(source.value for source in Source))


class Window:
    """Counts of the newest, by bin.

    Args:
        bins: how many.
        most: at so many in all everything is halved.
    """

    def __init__(self, bins: int, most: int = _MOST) -> None:
        self.counts: NDArray[np.float64] = np.zeros(bins)
        self._most = most

    def add(self, bins: Sequence[int]) -> None:
        """One more in each of these bins."""
        self.counts += np.bincount(bins, minlength=len(self.counts))
        if self.counts.sum() >= self._most:
            self.counts /= 2


class LiveDrift:
    """A `Counter` (model_server.popularity.told), and an onlooker of scoring. See the module.

    `count` and `refresh` are called by one thread, the scoring is watched in another: they share no window.

    Args:
        metrics: where the gauges are.
        version: their label.
        reference: of the version; None: it has none, and only its lists are watched.
        popularity: of the version, by item id.
        surface: whose list is looked at.
        now_s: a monotonic clock.
    """

    def __init__(
        self,
        metrics: Metrics,
        version: str,
        reference: Reference | None,
        popularity: Mapping[str, float],
        surface: str,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._metrics, self._version, self._surface, self._now_s = metrics, version, surface, now_s
        self._tenths = tenths_of(popularity)
        self._windows = {
            "kinds": Window(KIND_BINS),
            "items": Window(ITEM_BINS),
            "activity": Window(len(ACTIVITY)),
            "sources": Window(len(_SOURCES) + 1),  # the last bin: sources of a ranker
            "shown": Window(ITEM_BINS),
        }
        self._expected: dict[str, NDArray[np.float64]] = {}
        if reference is not None:
            for name in ("kinds", "items", "activity"):
                self._expected[name] = np.array(getattr(reference, name), np.float64)
        self._source_of = {name: number for number, name in enumerate(_SOURCES)}
        self._next_s = now_s()

    def count(self, told: Told) -> int:
        """Look at a partition's newest touches; none of them is news to a version."""
        self._windows["kinds"].add([touch.kind for touch in told.touches])
        self._windows["items"].add([self._tenth(touch.item_id) for touch in told.touches])
        return 0

    def refresh(self) -> None:
        """Show what has been counted, every few seconds; 0 for that of which there is too little to say."""
        if self._now_s() < self._next_s:
            return
        self._next_s = self._now_s() + _EVERY_S
        found = self.found()
        for name in WATCHED:
            self._metrics.gauge(table.DRIFT_PSI, self._version, name).set(found.get(name, 0.0))

    def found(self) -> dict[str, float]:
        """The PSI of everything of which enough was counted."""
        return {
            name: psi(expected, self._windows[name].counts)
            for name, expected in list(self._expected.items())
            if self._windows[name].counts.sum() >= _LEAST
        }

    def watch(self, score: Score) -> Score:
        """The same scoring, looked at."""

        def watched(user_ids: Sequence[str], histories: Sequence[History]) -> Scored:
            scored = score(user_ids, histories)
            self._windows["activity"].add(
                [activity_bin(len(history.kinds) - 1) for history in histories if history.kinds]
            )
            places = [item for lists in scored.lists for item in lists.get(self._surface, ())]
            self._windows["sources"].add([self._source_of.get(item.source, len(_SOURCES)) for item in places])
            self._windows["shown"].add([self._tenth(item.item_id) for item in places])
            if "shown" not in self._expected and self._windows["shown"].counts.sum() >= _FIRST_LISTS:
                self._expected |= {name: self._windows[name].counts.copy() for name in ("sources", "shown")}
            return scored

        return watched

    def _tenth(self, item_id: str) -> int:
        return self._tenths.get(item_id, UNTRAINED)
