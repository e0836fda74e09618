"""What learns again as the log grows: a shop that trains every night or every month, asked as things happen."""

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from app.data.interactions import Interactions
from model_server.judging.cases import Cases, Fit, Recommender


class Relearning:
    """A recommender, made anew of all that has happened whenever it was made too long ago.

    Args:
        fit: makes it.
        log: everything, in time order; only what was observed is learned from.
        training: so many of the first events have happened already.
        every_ms: after so long it is made anew.
        now_s: a monotonic clock.

    Attributes:
        learning_s: what it took to make it anew, the first time left out.
    """

    def __init__(
        self, fit: Fit, log: Interactions, training: int, every_ms: int, now_s: Callable[[], float] = time.perf_counter
    ) -> None:
        self._fit = fit
        self._log = log
        self._happened = training
        self._every_ms = every_ms
        self._learned_ms = int(log.ts_ms[training - 1])
        self._now_s = now_s
        self.learning_s = 0.0
        self._recommender = self._learned()

    @property
    def online(self) -> bool:
        """As the one that it makes."""
        return self._recommender.online

    def scores(self, cases: Cases) -> NDArray[np.floating]:
        """(B, N) by what was learned last, after learning where the first of these moments is late enough."""
        now_ms = int(cases.now_ms[0])
        if now_ms - self._learned_ms >= self._every_ms:
            began_s, self._learned_ms = self._now_s(), now_ms
            self._recommender = self._learned()
            self.learning_s += self._now_s() - began_s
        return self._recommender.scores(cases)

    def observe(self, events: Interactions) -> None:
        """These happened: they count at once, and are learned from the next time."""
        self._happened += len(events)
        self._recommender.observe(events)

    def _learned(self) -> Recommender:
        return self._fit(self._log.take(slice(0, self._happened)))
