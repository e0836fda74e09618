"""Seeded traffic for measurements: visitors, their partitions and their events, the same for the same seed.

Visitors differ in activity as people do (log-normal; MovieLens-100K has a sigma of about 1); which item and what kind
of event is drawn independently. About 220 bytes of JSON an event.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.contracts.events import AddToCart, Click, Purchase, View, encode_event

ITEMS: Final = 20_000
ACTIVITY_SIGMA: Final = 1.0
FIRST_TS_MS: Final = 1_700_000_000_000
_ITEM_EVENTS: Final = (View, Click, AddToCart, Purchase)
_SHARES: Final = (0.70, 0.15, 0.10, 0.05)

KeyValue = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Visitors:
    """Visitor `n` has the id `ids[n]` and lies in partition `homes[n]`."""

    ids: Sequence[str]
    homes: NDArray[np.int64]

    @classmethod
    def of(cls, count: int, partitions: int) -> "Visitors":
        """The first so many visitors."""
        return cls([f"user-{number:07d}" for number in range(count)], homes_of(count, partitions))


def homes_of(count: int, partitions: int) -> NDArray[np.int64]:
    """The partitions of the first visitors, by Java's murmur2 of their ids (12 bytes each), all at once."""
    ids = np.char.mod("user-%07d", np.arange(count)).astype("S12")
    words = np.frombuffer(ids.tobytes(), dtype="<u4").reshape(count, 3).astype(np.uint64)
    mask, multiplier = np.uint64(0xFFFF_FFFF), np.uint64(0x5BD1_E995)
    hashed = np.full(count, 0x9747_B28C ^ 12, dtype=np.uint64)
    for column in range(3):
        word = words[:, column] * multiplier & mask
        word = (word ^ word >> np.uint64(24)) * multiplier & mask
        hashed = (hashed * multiplier & mask) ^ word
    hashed = (hashed ^ hashed >> np.uint64(13)) * multiplier & mask
    hashed ^= hashed >> np.uint64(15)
    return ((hashed & np.uint64(0x7FFF_FFFF)) % np.uint64(partitions)).astype(np.int64)


def draw_events(
    visitors: Visitors,
    count: int,
    rng: np.random.Generator,
    *,
    activity_sigma: float | None = ACTIVITY_SIGMA,
    first: int = 0,
) -> list[list[KeyValue]]:
    """So many events, as key and JSON, in the order of time, numbered from `first`; one list per partition.

    Without an `activity_sigma` every visitor comes once before any comes again, each time in a new order.
    """
    # At least as many lists as the highest partition that has a visitor; visitors of all partitions exist in any size
    # that is worth measuring.
    logs: list[list[KeyValue]] = [[] for _ in range(int(visitors.homes.max()) + 1)]
    drawn = zip(
        _who(len(visitors.ids), count, activity_sigma, rng).tolist(),
        rng.integers(ITEMS, size=count).tolist(),
        rng.choice(len(_ITEM_EVENTS), size=count, p=_SHARES).tolist(),
        strict=True,
    )
    homes = visitors.homes.tolist()
    for number, (visitor, item, kind) in enumerate(drawn, first):
        user_id = visitors.ids[visitor]
        fields: dict[str, Any] = {
            "event_id": f"event-{number:010d}",
            "user_id": user_id,
            "ts_ms": FIRST_TS_MS + number,
            "session_id": f"session-{visitor:07d}",
            "surface": "home",
            "item_id": item_id(item),
            "recommendation_id": f"{user_id}-{number:010d}",
            "position": number % 20,
        }
        logs[homes[visitor]].append((user_id.encode(), encode_event(_ITEM_EVENTS[kind](**fields))))
    return logs


def _who(visitors: int, count: int, activity_sigma: float | None, rng: np.random.Generator) -> NDArray[np.int64]:
    """Whose each event is, as numbers of visitors."""
    if activity_sigma is None:
        rounds = [rng.permutation(visitors) for _ in range(-(-count // visitors))]
        return np.concatenate(rounds)[:count]
    weights = rng.lognormal(sigma=activity_sigma, size=visitors)
    return rng.choice(visitors, size=count, p=weights / weights.sum())


def item_id(number: int) -> str:
    """The id of an item."""
    return f"item-{number:06d}"


def total(logs: Sequence[Sequence[KeyValue]]) -> int:
    """How many records all partitions hold."""
    return sum(len(log) for log in logs)


def head_of(logs: Sequence[Sequence[KeyValue]], count: int) -> list[list[KeyValue]]:
    """About the first `count` events: the same share of every partition's log."""
    share = min(1.0, count / max(1, total(logs)))
    return [list(log[: round(len(log) * share)]) for log in logs]
