"""What more users and more workers do to one worker's memory and to the cost of an event.

At every point so many users have a past of the same length, which the workers restore from the changelog; then events
of users drawn evenly arrive in one burst. With few users a batch holds several events of one user, which are then
written once: `outputs_per_event` tells, so that the cost of an event and of a changed user can be told apart.
"""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from msgspec import Struct, to_builtins

from app.bench.log import append, committed, scan
from app.bench.progress import OutputSeen, pace
from app.bench.race import FINISH_TIMEOUT_S, bench_topics, new_prefix
from app.bench.seeding import PAST_EVENTS, Past, seed_past
from app.bench.traffic import draw_events
from app.bench.worker import AgentsWorker
from app.interests.state import decode_state
from app.kafka.resolver import resolve_kafka
from app.kafka.topics import Topics
from app.settings import Settings

_READY_TIMEOUT_S: Final = 300.0
_WARM_UP_SHARE: Final = 0.25
_ASSIGNED: Final = "riverrun_assigned_partitions"
_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class ScalePlan:
    """Which points are measured: each number of workers with each number of users."""

    workers: tuple[int, ...]
    users: tuple[int, ...]
    interactions: int
    events: int
    seed: int


class ScalePoint(Struct, frozen=True):
    """One point. `rss_mb`: resident memory of all workers together, right after the events."""

    workers: int
    users: int
    events_per_s: float
    rss_mb: float
    outputs_per_event: float


class ScaleBench(Struct, frozen=True):
    """One run of the measurement.

    Attributes:
        mb_per_million_users: one worker's memory at the most users less that at the fewest; None with one number.
        events_per_s_most_to_fewest_users: one worker's rate at the most users over that at the fewest.
    """

    points: list[ScalePoint]
    mb_per_million_users: float | None
    events_per_s_most_to_fewest_users: float | None
    events: int
    interactions_per_user: int
    seed: int

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        values: dict[str, Any] = to_builtins(self)
        return values


def measure_scale(settings: Settings, plan: ScalePlan, say: Callable[[str], None]) -> ScaleBench:
    """Measure every point, each on fresh topics.

    Raises:
        RiverrunError: something is missing or a worker failed.
    """
    points: list[ScalePoint] = []
    with resolve_kafka(settings, say) as kafka:
        say(f"Kafka: {kafka.why}")
        for workers in plan.workers:
            for users in plan.users:
                point = _measure(kafka.bootstrap_servers, workers, users, plan)
                points.append(point)
                say(f"{workers} workers, {users:,} users: {point.events_per_s:,.0f} events/s, {point.rss_mb:.0f} MB")
    return summarise(points, plan)


def summarise(points: Sequence[ScalePoint], plan: ScalePlan) -> ScaleBench:
    """The points, and what the fewest workers' say of growth."""
    alone = sorted((point for point in points if point.workers == min(plan.workers)), key=lambda point: point.users)
    few, many = alone[0], alone[-1]
    grown = few.users < many.users
    return ScaleBench(
        points=list(points),
        mb_per_million_users=round((many.rss_mb - few.rss_mb) / (many.users - few.users) * _MILLION, 1)
        if grown
        else None,
        events_per_s_most_to_fewest_users=round(many.events_per_s / few.events_per_s, 3) if grown else None,
        events=plan.events,
        interactions_per_user=plan.interactions,
        seed=plan.seed,
    )


def _measure(bootstrap_servers: str, workers: int, users: int, plan: ScalePlan) -> ScalePoint:
    prefix = new_prefix()
    with bench_topics(bootstrap_servers, prefix) as topics, ExitStack() as running:
        scratch = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="riverrun-bench-")))
        visitors = seed_past(bootstrap_servers, topics, Past(users, plan.interactions, plan.seed)).visitors
        rng = np.random.default_rng(plan.seed + 1)
        logs = draw_events(visitors, plan.events, rng, activity_sigma=0.0, first=PAST_EVENTS)
        group = [
            running.enter_context(AgentsWorker(bootstrap_servers, prefix, scratch / f"state-{number}"))
            for number in range(workers)
        ]
        _wait_shared(group, topics.events.partitions)
        asyncio.run(append(bootstrap_servers, topics.events.name, logs))
        end = PAST_EVENTS + plan.events
        group[0].wait(
            lambda: asyncio.run(committed(bootstrap_servers, topics.app_id, topics.events.name)) >= end,
            "done",
            FINISH_TIMEOUT_S,
        )
        rss_mb = sum(worker.rss_mb() for worker in group)
        return _point(bootstrap_servers, topics, plan, ScalePoint(workers, users, 0.0, round(rss_mb, 1), 0.0))


def _point(bootstrap_servers: str, topics: Topics, plan: ScalePlan, point: ScalePoint) -> ScalePoint:
    seen = OutputSeen(lambda _place, value: decode_state(value).state_version + 1)
    asyncio.run(scan(bootstrap_servers, topics.score_requests.name, topics.score_requests.partitions, seen.see))
    measured = pace(seen, PAST_EVENTS + round(_WARM_UP_SHARE * plan.events))
    return ScalePoint(
        workers=point.workers,
        users=point.users,
        events_per_s=round(measured.events_per_s, 1),
        rss_mb=point.rss_mb,
        outputs_per_event=round(seen.records / plan.events, 3),
    )


def _wait_shared(group: Sequence[AgentsWorker], partitions: int) -> None:
    """Wait until the workers have shared all partitions and are ready: what comes then meets no rebalance."""

    def shared() -> bool:
        if not all(worker.is_ready() for worker in group):
            return False
        assigned = [int(worker.metrics().get(_ASSIGNED, 0)) for worker in group]
        return sum(assigned) == partitions and min(assigned) > 0

    group[0].wait(shared, "ready together with the others", _READY_TIMEOUT_S)
