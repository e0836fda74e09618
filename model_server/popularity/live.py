"""Popularity as it is now: the model version's snapshot, then the live events after it.

This module does not know Kafka; `follower.py` hands it the records. The ranking is a finished list, so that the
scorer's thread reads it while the next one is being counted.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final

from app.contracts.events import AddToCart, Click, Event, Like, Purchase, Rate, View
from app.data.popularity import MS_PER_DAY, Popularity
from app.interests.intake import IntakeLimits, Refusal, SourceRecord, take_in
from app.interests.popularity import DecayedCounts, PopularItem

# What a surface shows plus what its user has seen, with room to spare.
_RANKED: Final = 3_000
_MIN_REFRESH_S: Final = 1.0
# Ranking takes at most this share of the event loop's time, however large the catalogue.
_REFRESH_SHARE: Final = 0.02
_INTEREST: Final = (View, Click, AddToCart, Purchase, Like, Rate)


class LivePopularity:
    """Counts events, and keeps the ranking fresh.

    Args:
        snapshot: where counting starts; events up to its reference time are in it and are skipped.
        half_life_days: of a count.
        limits: what a valid event is; one that pretends to come from the future would outweigh all others.
        now_s: a monotonic clock.
    """

    def __init__(
        self,
        snapshot: Popularity,
        half_life_days: float,
        limits: IntakeLimits,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._counts = DecayedCounts(half_life_days * MS_PER_DAY, max_items=50_000)
        if snapshot.weights:
            self._counts.start_from(snapshot.weights, snapshot.reference_ts_ms)
        self._counted_until_ms = snapshot.reference_ts_ms if snapshot.weights else -1
        self._limits = limits
        self._now_s = now_s
        self._changed = False
        self._next_refresh_s = 0.0
        self.ranking: Sequence[PopularItem] = self._counts.top(_RANKED)

    def take_in(self, records: Sequence[SourceRecord]) -> int:
        """Count a partition's records; returns how many said that an item was liked enough to be touched."""
        counted = 0
        for received in take_in(records, self._limits, _leave_to_the_agents):
            touched = _touched(received.event)
            if touched is not None and received.event.ts_ms > self._counted_until_ms:
                self._counts.add(touched, received.event.ts_ms)
                counted += 1
        self._changed |= counted > 0
        return counted

    def refresh(self) -> None:
        """Make a new ranking when there is news and the last one is old enough."""
        started_s = self._now_s()
        if not self._changed or started_s < self._next_refresh_s:
            return
        self.ranking = self._counts.top(_RANKED)
        self._changed = False
        ended_s = self._now_s()
        self._next_refresh_s = ended_s + max(_MIN_REFRESH_S, (ended_s - started_s) / _REFRESH_SHARE)


def _leave_to_the_agents(_refusal: Refusal) -> None:
    """They make the dead letters."""


def _touched(event: Event) -> str | None:
    return event.item_id if isinstance(event, _INTEREST) else None
