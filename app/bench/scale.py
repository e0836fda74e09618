"""What more users and more workers do to one worker's memory and to the cost of an event.

At every point so many users have a past of the same length, which the workers restore from the changelog. Then they
may settle: RocksDB merges what was restored, and that is no cost of the events. Then events arrive in one burst.

What differs between the points is the number of users and nothing else. Everybody comes once before anybody comes
again, so that few users do not share writes within a batch that many would not (`outputs_per_event` is near 1
everywhere); and the agents keep no more than the past's length of each, so that states that get more events do not grow
for it. The cost of an event is processor time, of all threads: on a machine that broker and measuring client share, the
rate alone would measure them, too. The points are measured in rounds, in turned order; medians count.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
from msgspec import Struct, to_builtins

from app.bench.log import append, committed, scan
from app.bench.progress import OutputSeen, pace
from app.bench.race import FINISH_TIMEOUT_S, bench_topics, new_prefix
from app.bench.seeding import PAST_EVENTS, Past, seed_past
from app.bench.traffic import draw_events
from app.bench.turns import turned
from app.bench.worker import agents_worker
from app.interests.state import decode_state
from app.kafka.access import KafkaAccess
from app.kafka.resolver import resolve_kafka
from app.kafka.topics import Topics
from app.processes.service import Service
from app.settings import Settings

_READY_TIMEOUT_S: Final = 300.0
_WARM_UP_SHARE: Final = 0.25
_ASSIGNED: Final = "riverrun_assigned_partitions"
_SETTLED_LOAD: Final = 0.15
_SETTLE_STEP_S: Final = 0.5
_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class ScalePlan:
    """Which points are measured, how often: each number of workers with each number of users."""

    workers: tuple[int, ...]
    users: tuple[int, ...]
    interactions: int
    events: int
    seed: int
    rounds: int = 1


class ScalePoint(Struct, frozen=True):
    """One point.

    Attributes:
        cpu_us_per_event: processor time of all workers from the first event to the last commit, merging included.
        rss_mb: resident memory of all workers together, right after the events.
    """

    workers: int
    users: int
    events_per_s: float
    cpu_us_per_event: float
    rss_mb: float
    outputs_per_event: float


class ScaleBench(Struct, frozen=True):
    """One run of the measurement.

    Attributes:
        mb_per_million_users: one worker's memory at the most users less that at the fewest; None with one number.
        events_per_s_most_to_fewest_users: one worker's rate at the most users over that at the fewest.
        cost_most_to_fewest_users: the same of an event's processor time.
    """

    points: list[ScalePoint]
    mb_per_million_users: float | None
    events_per_s_most_to_fewest_users: float | None
    cost_most_to_fewest_users: float | None
    events: int
    interactions_per_user: int
    rounds: int
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
    places = [(workers, users) for workers in plan.workers for users in plan.users]
    points: list[ScalePoint] = []
    with resolve_kafka(settings, say) as kafka:
        say(f"Kafka: {kafka.why}")
        for number in range(plan.rounds):
            for workers, users in turned(places, number):
                point = _measure(kafka.access, workers, users, plan)
                points.append(point)
                told = f"{point.events_per_s:,.0f} events/s, {point.cpu_us_per_event:.1f} us, {point.rss_mb:.0f} MB"
                say(f"round {number + 1}: {workers} workers, {users:,} users: {told}")
    return summarise(points, plan)


def summarise(measured: Sequence[ScalePoint], plan: ScalePlan) -> ScaleBench:
    """The points as medians of their rounds, and what the fewest workers' say of growth."""
    points = [
        _middle([each for each in measured if _place(each) == place]) for place in sorted(set(map(_place, measured)))
    ]
    alone = [point for point in points if point.workers == min(plan.workers)]
    few, many = alone[0], alone[-1]
    grown = few.users < many.users
    return ScaleBench(
        points=points,
        mb_per_million_users=round((many.rss_mb - few.rss_mb) / (many.users - few.users) * _MILLION, 1)
        if grown
        else None,
        events_per_s_most_to_fewest_users=round(many.events_per_s / few.events_per_s, 3) if grown else None,
        cost_most_to_fewest_users=round(many.cpu_us_per_event / few.cpu_us_per_event, 3) if grown else None,
        events=plan.events,
        interactions_per_user=plan.interactions,
        rounds=plan.rounds,
        seed=plan.seed,
    )


def _place(point: ScalePoint) -> tuple[int, int]:
    return point.workers, point.users


def _middle(rounds: Sequence[ScalePoint]) -> ScalePoint:
    """One point from its rounds: each figure's median."""
    return ScalePoint(
        workers=rounds[0].workers,
        users=rounds[0].users,
        events_per_s=median(each.events_per_s for each in rounds),
        cpu_us_per_event=median(each.cpu_us_per_event for each in rounds),
        rss_mb=median(each.rss_mb for each in rounds),
        outputs_per_event=median(each.outputs_per_event for each in rounds),
    )


def _measure(access: KafkaAccess, workers: int, users: int, plan: ScalePlan) -> ScalePoint:
    prefix = new_prefix()
    with bench_topics(access, prefix) as topics, ExitStack() as running:
        scratch = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="riverrun-bench-")))
        visitors = seed_past(access, topics, Past(users, plan.interactions, plan.seed)).visitors
        rng = np.random.default_rng(plan.seed + 1)
        logs = draw_events(visitors, plan.events, rng, activity_sigma=None, first=PAST_EVENTS)
        bounds = {"RIVERRUN_AGENTS__MAX_INTERACTIONS": str(plan.interactions), "RIVERRUN_AGENTS__MAX_ITEMS": "1"}
        group = [
            running.enter_context(agents_worker(access, prefix, scratch / f"state-{number}", bounds))
            for number in range(workers)
        ]
        _wait_shared(group, topics.events.partitions)
        _wait_settled(group)
        idle_cpu_s = sum(worker.cpu_s() for worker in group)
        asyncio.run(append(access, topics.events.name, logs))
        end = PAST_EVENTS + plan.events
        group[0].wait(
            lambda: asyncio.run(committed(access, topics.app_id, topics.events.name)) >= end,
            lambda: "done",
            FINISH_TIMEOUT_S,
        )
        cpu_s = sum(worker.cpu_s() for worker in group) - idle_cpu_s
        rss_mb = sum(worker.rss_mb() for worker in group)
        events_per_s, outputs = _outputs(access, topics, plan)
        cpu_us = cpu_s / plan.events * _MILLION
        return ScalePoint(workers, users, events_per_s, round(cpu_us, 2), round(rss_mb, 1), outputs)


def _outputs(access: KafkaAccess, topics: Topics, plan: ScalePlan) -> tuple[float, float]:
    """Events a second, and outputs per event, as the score requests tell."""
    seen = OutputSeen(lambda _place, value: decode_state(value).state_version + 1)
    asyncio.run(scan(access, topics.score_requests.name, topics.score_requests.partitions, seen.see))
    measured = pace(seen, PAST_EVENTS + round(_WARM_UP_SHARE * plan.events))
    return round(measured.events_per_s, 1), round(seen.records / plan.events, 3)


def _wait_shared(group: Sequence[Service], partitions: int) -> None:
    """Wait until the workers have shared all partitions and are ready: what comes then meets no rebalance."""

    def shared() -> bool:
        if not all(worker.is_ready() for worker in group):
            return False
        assigned = [int(worker.metrics().get(_ASSIGNED, 0)) for worker in group]
        return sum(assigned) == partitions and min(assigned) > 0

    group[0].wait(shared, lambda: "ready together with the others", _READY_TIMEOUT_S)


def _wait_settled(group: Sequence[Service]) -> None:
    """Wait until the workers are next to idle: what was restored is merged."""
    used_s, at_s = sum(worker.cpu_s() for worker in group), time.monotonic()

    def settled() -> bool:
        nonlocal used_s, at_s
        time.sleep(_SETTLE_STEP_S)
        before_s, before_at_s = used_s, at_s
        used_s, at_s = sum(worker.cpu_s() for worker in group), time.monotonic()
        return used_s - before_s < _SETTLED_LOAD * len(group) * (at_s - before_at_s)

    group[0].wait(settled, lambda: "idle after the restore", _READY_TIMEOUT_S)
