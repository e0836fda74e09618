"""Popularity as it is now: the model version's snapshot, then the live events after it.

This module does not know Kafka; `follower.py` hands it what they tell. The ranking is a finished list, so that the
scorer's thread reads it while the next one is being counted.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from app.data.popularity import MS_PER_DAY, Popularity
from app.interests.popularity import DecayedCounts, PopularItem
from model_server.popularity.told import Told

# What a surface shows plus what its user has seen, with room to spare.
_RANKED: Final = 3_000
_MIN_REFRESH_S: Final = 1.0
# Ranking takes at most this share of the event loop's time, however large the catalogue.
_REFRESH_SHARE: Final = 0.02


class Shop(Protocol):
    """What is for sale, as the item index knows it."""

    @property
    def version(self) -> int:
        """Grows with every change."""

    def is_sellable(self, item_id: str) -> bool:
        """Whether the item is for sale now."""


class LivePopularity:
    """Counts events, and keeps the ranking fresh.

    Args:
        snapshot: where counting starts; events up to its reference time are in it and are skipped.
        half_life_days: of a count.
        shop: what it sells is ranked in any case: a season's favourites must not crowd out what came after them.
        now_s: a monotonic clock.
    """

    def __init__(
        self,
        snapshot: Popularity,
        half_life_days: float,
        shop: Shop,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._counts = DecayedCounts(half_life_days * MS_PER_DAY, max_items=50_000)
        if snapshot.weights:
            self._counts.start_from(snapshot.weights, snapshot.reference_ts_ms)
        self._counted_until_ms = snapshot.reference_ts_ms if snapshot.weights else -1
        self._shop = shop
        self._shop_version = shop.version
        self._now_s = now_s
        self._changed = False
        self._next_refresh_s = 0.0
        self.ranking: Sequence[PopularItem] = self._ranked()

    def count(self, told: Told) -> int:
        """Count a partition's newest touches; returns how many were new to the snapshot."""
        counted = 0
        for touch in told.touches:
            if touch.ts_ms > self._counted_until_ms:
                self._counts.add(touch.item_id, touch.ts_ms)
                counted += 1
        self._changed |= counted > 0
        return counted

    def refresh(self) -> None:
        """Make a new ranking when there is news and the last one is old enough."""
        started_s, shop_version = self._now_s(), self._shop.version
        changed = self._changed or shop_version != self._shop_version
        if not changed or started_s < self._next_refresh_s:
            return
        self.ranking = self._ranked()
        self._changed, self._shop_version = False, shop_version
        ended_s = self._now_s()
        self._next_refresh_s = ended_s + max(_MIN_REFRESH_S, (ended_s - started_s) / _REFRESH_SHARE)

    def _ranked(self) -> list[PopularItem]:
        """What is not for sale stays in it: a catalog that is still being read may sell it the next moment."""
        first = self._counts.top(_RANKED)
        if all(self._shop.is_sellable(each.item_id) for each in first):
            return first
        for_sale = self._counts.top(_RANKED, self._shop.is_sellable)
        return sorted({*first, *for_sale}, key=lambda each: (-each.count, each.item_id))
