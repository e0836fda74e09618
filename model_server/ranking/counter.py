"""Tells a ranker's live tables what the events topic tells, and has them redone beside the lists."""

import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Final

from model_server.popularity.told import Told
from model_server.ranking.live import LiveTables

_MOST_WAITING: Final = 100_000  # events of 32 bytes; behind a long log it is redone that often
_SHARE: Final = 0.05  # of a core may go into it, however large the log


class LiveRanking:
    """A `Counter` (model_server.popularity.told).

    Args:
        tables: what is kept up to date.
        every_s: how long news may wait.
        thread: where it is redone.
        clock_ms: wall clock.
        now_s: monotonic clock.
    """

    def __init__(
        self,
        tables: LiveTables,
        every_s: float,
        thread: Executor,
        clock_ms: Callable[[], int],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tables = tables
        self._every_s = every_s
        self._thread = thread
        self._clock_ms = clock_ms
        self._now_s = now_s
        self._redoing: Future[float] | None = None
        self._next_s = 0.0

    def count(self, told: Told) -> int:
        """Write a partition's newest touches down; returns how many were new to the version."""
        new = sum(
            [self._tables.observe(touch.user_id, touch.item_id, touch.place, touch.ts_ms) for touch in told.touches]
        )
        for user_id in told.forgotten:
            self._tables.forget(user_id)
        return new

    def refresh(self) -> None:
        """Have the tables redone where it is time: somebody is to be forgotten, much waits, or for long enough.

        Raises:
            Exception: of the last time.
        """
        if self._redoing is not None:
            if not self._redoing.done():
                return
            took_s, self._redoing = self._redoing.result(), None
            self._next_s = self._now_s() + max(self._every_s, took_s / _SHARE)
        due = self._now_s() >= self._next_s or self._tables.waiting >= _MOST_WAITING
        if due or self._tables.urgent:
            self._redoing = self._thread.submit(self._redo)

    def _redo(self) -> float:
        started_s = time.thread_time()
        self._tables.redo(self._clock_ms())
        return time.thread_time() - started_s
