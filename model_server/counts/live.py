"""Co-visitation as it is now: the model version's counts, then the live events after them.

Users' windows are not in a version: it would carry their ids. They are filled from the log: events that the version has
counted already are followed without being counted again. This module does not know Kafka.
"""

import threading
from collections.abc import Collection, Sequence
from itertools import islice
from typing import Final

import numpy as np

from model_server.counts.covisitation import CountedPairs, CoVisitation, CoVisitationOptions
from model_server.counts.entries import Entries, Readings
from model_server.items.rows import NONE, ItemRows
from model_server.popularity.told import Told, Touch

_MAX_USERS: Final = 200_000


class LiveCoVisitation:
    """Counts in one thread, is read in another: both hold the lock, for a millisecond or two.

    Args:
        start: of the version; its items are the first ones of `rows`.
        options: how it was counted.
        rows: numbers items.
        max_users: windows that are kept; who did nothing for longest goes first.
    """

    def __init__(
        self, start: CountedPairs, options: CoVisitationOptions, rows: ItemRows, max_users: int = _MAX_USERS
    ) -> None:
        self._counts = CoVisitation(options, start)
        self._counted_until_ms = start.reference_ts_ms or -1
        self._rows = rows
        self._max_users = max_users
        self._users: dict[str, int] = {}  # who did something last comes last
        self._free: list[int] = []
        self._lock = threading.Lock()

    def count(self, told: Told) -> int:
        """Count a partition's newest touches; returns how many were new to the version."""
        with self._lock:
            new = [touch for touch in told.touches if touch.ts_ms > self._counted_until_ms]
            if len(new) < len(told.touches):
                self._follow([touch for touch in told.touches if touch.ts_ms <= self._counted_until_ms])
            if new:
                self._counts.observe(*self._columns(new))
            for user_id in told.forgotten:
                self._forget(user_id)
        return len(new)

    def refresh(self) -> None:
        """Nothing to do: what is read is always ready."""

    def read(self, readings: Readings) -> Entries:
        """As `CoVisitation.read`; from any thread."""
        with self._lock:
            return self._counts.read(readings)

    def _follow(self, touches: Sequence[Touch]) -> None:
        users, items, _ = self._columns(touches)
        self._counts.follow(users, items)

    def _columns(self, touches: Sequence[Touch]) -> "tuple[np.ndarray[tuple[int], np.dtype[np.int64]], ...]":
        """(E,) users, items, times, without items for which there is no row."""
        self._welcome(dict.fromkeys(touch.user_id for touch in touches))
        columns = [(self._users[touch.user_id], self._rows.row(touch.item_id), touch.ts_ms) for touch in touches]
        users, items, ts_ms = np.array(columns, np.int64).reshape(-1, 3).T
        counted = items != NONE
        return users[counted], items[counted], ts_ms[counted]

    def _welcome(self, user_ids: Collection[str]) -> None:
        """They come last, with a row each; those who did nothing for longest make room."""
        rows = {user_id: self._users.pop(user_id, None) for user_id in user_ids}
        leaving = len(self._users) + len(rows) - self._max_users
        for user_id in list(islice(self._users, max(0, leaving))):
            self._forget(user_id)
        self._users |= {user_id: row for user_id, row in rows.items() if row is not None}
        for user_id, row in rows.items():
            if row is None:
                self._users[user_id] = self._free.pop() if self._free else len(self._users)

    def _forget(self, user_id: str) -> None:
        row = self._users.pop(user_id, None)
        if row is not None:
            self._counts.forget(row)
            self._free.append(row)
