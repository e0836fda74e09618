"""What a gateway does beside its requests."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from app.gateway import metrics as table
from app.gateway.following import FollowState
from app.gateway.health import Health
from app.gateway.posting import Posting
from app.gateway.streams import Listeners
from app.observability import Metrics

_TICK_S: Final = 1.0
_FLUSH_EVERY_S: Final = 300.0


class Flushes(Protocol):
    """What has something in memory that belongs on the disk."""

    def flush(self, read_until_ms: int | None) -> None:
        """Write it; blocks. What lay in the topic at that time has been read."""


async def tick(
    followed: Mapping[str, FollowState],
    listeners: Sequence[Listeners],
    posting: Posting,
    metrics: Metrics,
    health: Health,
) -> None:
    """Once a second: show that the loop runs, let streams beat, and look at what is counted only now and then."""
    while True:
        health.beat()
        for each in listeners:
            each.beat()
        metrics.gauge(table.STREAMS).set(sum(map(len, listeners)))
        metrics.gauge(table.IN_FLIGHT).set(posting.in_flight)
        metrics.gauge(table.READY).set(1 if health.ready().ok else 0)
        for role, state in followed.items():
            metrics.gauge(table.LAG, role).set(state.behind)
        await asyncio.sleep(_TICK_S)


async def flush_for_ever(
    replicas: Mapping[str, Flushes], followed: Mapping[str, FollowState], clock_ms: Callable[[], int]
) -> None:
    """Bound the age of what is in memory only.

    A tombstone lives for a day in its topic: were a delete lost by a crash later than that, it would never be read
    again, and a forgotten user would be back.
    """
    while True:
        await asyncio.sleep(_FLUSH_EVERY_S)
        for role, replica in replicas.items():
            state = followed[role]
            await asyncio.to_thread(replica.flush, clock_ms() if state.caught_up and not state.away else None)
