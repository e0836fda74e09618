"""From a POST to the list on an open stream, beside the same loop without a gateway; and what idle streams cost.

Both ways are measured in rounds, in turned order, against the same agents and model server; what both share is
therefore in both. While the way without is measured the gateway follows the topics, but has no streams open.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import psutil
from msgspec import Struct, to_builtins

from app.bench.freshness import endless
from app.bench.turns import turned
from app.contracts.events import Event
from app.demo.frontend import Frontend
from app.demo.live import Stage
from app.demo.run import staged
from app.demo.scorecard import percentile
from app.demo.shopfront import Shopfront
from app.errors import RiverrunError
from app.processes.descriptors import raise_descriptor_limit
from app.replay import paced
from app.settings import Settings

_READY_TIMEOUT_S: Final = 120.0
_SETTLE_TIMEOUT_S: Final = 60.0
_WARM_UP_S: Final = 10.0
_IDLE_SETTLE_S: Final = 3.0
_OPEN_AT_ONCE: Final = 200
_MS_PER_S: Final = 1_000
_KB: Final = 1024
_OPEN_TO_MANY: Final = {"RIVERRUN_GATEWAY__MAX_STREAMS": "12000"}

Measured = Callable[[AsyncIterator[Event]], Awaitable[list[float]]]
"""Sends events and tells how many seconds each took to its list."""


@dataclass(frozen=True, slots=True)
class GatewayPlan:
    """What is measured.

    Attributes:
        events_per_s: how many are posted.
        seconds: for how long in a round.
        rounds: how often.
        streams: open while events are posted.
        idle_streams: held open by one process for its memory; 0: none.
    """

    events_per_s: float
    seconds: float
    rounds: int
    streams: int
    idle_streams: int


class Percentiles(Struct, frozen=True):
    """In ms."""

    p50: float
    p95: float
    p99: float


class IdleStreams(Struct, frozen=True):
    """What a gateway with nothing but open streams takes."""

    rss_mb: float
    kb_per_stream: float


class GatewayBench(Struct, frozen=True):
    """One run. `ratio_p50`: how many times as long as without the gateway."""

    events_per_s: float
    streams: int
    post_to_sse_ms: Percentiles
    without_gateway_ms: Percentiles
    ratio_p50: float
    post_ack_ms: Percentiles
    idle_streams: int
    idle_rss_mb: float | None
    idle_kb_per_stream: float | None
    rounds: int
    events: int

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        values: dict[str, Any] = to_builtins(self)
        return values


def measure_gateway(settings: Settings, plan: GatewayPlan, say: Callable[[str], None]) -> GatewayBench:
    """Start everything and measure.

    Raises:
        RiverrunError: something is missing, a process failed, or a list never came.
    """
    raise_descriptor_limit()
    with staged(settings, say, gateway=_OPEN_TO_MANY) as stage:
        stage.pipeline.wait_ready(_READY_TIMEOUT_S)
        say(f"Gateway on {stage.gateway_url}")
        return asyncio.run(_measure(stage, plan, say))


async def _measure(stage: Stage, plan: GatewayPlan, say: Callable[[str], None]) -> GatewayBench:
    source = endless(stage)
    with_s: list[float] = []
    without_s: list[float] = []
    acknowledged_s: list[float] = []
    user_ids = _watched(stage, plan.streams)

    async with Shopfront(stage.access, stage.topics.recommendations) as shop:

        async def through_kafka(traffic: AsyncIterator[Event]) -> list[float]:
            shop.ledger.start_counting()
            await shop.visit(stage.topics.events.name, traffic, lambda _event: None)
            return _all(await shop.settled(_SETTLE_TIMEOUT_S), shop.ledger.freshness_s)

        async def through_gateway(traffic: AsyncIterator[Event]) -> list[float]:
            async with Frontend(stage.gateway_url) as front:
                await front.open_streams(user_ids)
                await front.visit(traffic, lambda _event: None)
                taken_s = _all(await front.settled(_SETTLE_TIMEOUT_S), front.ledger.freshness_s)
                acknowledged_s.extend(front.acknowledged_s)
                return taken_s

        ways: tuple[tuple[Measured, list[float]], ...] = ((through_gateway, with_s), (through_kafka, without_s))
        say(f"Warming up for {len(ways) * _WARM_UP_S:.0f} s")
        for way, _ in ways:
            await way(_traffic(source, plan.events_per_s, _WARM_UP_S))
        acknowledged_s.clear()
        for number in range(plan.rounds):
            for way, taken_s in turned(ways, number):
                taken_s.extend(await way(_traffic(source, plan.events_per_s, plan.seconds)))
            say(f"round {number + 1} done")
    idle = await _idle(stage, plan.idle_streams) if plan.idle_streams else None
    post_to_sse, without = _percentiles(with_s), _percentiles(without_s)
    return GatewayBench(
        events_per_s=plan.events_per_s,
        streams=plan.streams,
        post_to_sse_ms=post_to_sse,
        without_gateway_ms=without,
        ratio_p50=round(post_to_sse.p50 / without.p50, 2),
        post_ack_ms=_percentiles(acknowledged_s),
        idle_streams=plan.idle_streams,
        idle_rss_mb=None if idle is None else idle.rss_mb,
        idle_kb_per_stream=None if idle is None else idle.kb_per_stream,
        rounds=plan.rounds,
        events=len(with_s),
    )


async def _idle(stage: Stage, streams: int) -> IdleStreams:
    """The gateway's memory with so many streams more than none."""
    gateway = stage.pipeline.gateway
    if gateway is None:
        raise RiverrunError("There is no gateway to measure.")
    process = psutil.Process(gateway.pid)
    before = process.memory_info().rss
    host, _, port = stage.gateway_url.removeprefix("http://").rpartition(":")
    async with AsyncExitStack() as stack:
        for first in range(0, streams, _OPEN_AT_ONCE):
            numbers = range(first, min(first + _OPEN_AT_ONCE, streams))
            for writer in await asyncio.gather(*(_open(host, int(port), number) for number in numbers)):
                stack.callback(writer.close)
        await asyncio.sleep(_IDLE_SETTLE_S)
        after = process.memory_info().rss
    return IdleStreams(round(after / _KB / _KB, 1), round((after - before) / _KB / streams, 1))


async def _open(host: str, port: int, number: int) -> asyncio.StreamWriter:
    """A stream of a user of its own, with the headers that a browser sends."""
    reader, writer = await asyncio.open_connection(host, port, limit=_KB)
    head = (
        f"GET /v1/users/idle-{number}/recommendations/stream HTTP/1.1",
        f"Host: {host}:{port}",
        "Accept: text/event-stream",
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "Accept-Language: en-GB,en;q=0.5",
        "Accept-Encoding: gzip, deflate, br, zstd",
        "Cache-Control: no-cache",
        "Connection: keep-alive",
    )
    writer.write("\r\n".join((*head, "", "")).encode())
    line = await reader.readline()
    if b" 200 " not in line:
        raise RiverrunError(f"The gateway refused idle stream {number}: {line.decode().strip()}")
    return writer


def _watched(stage: Stage, streams: int) -> Sequence[str]:
    """Everybody of the data set, and others who do nothing, so many in all."""
    users = stage.dataset.interactions.user_ids
    if streams < len(users):
        raise RiverrunError(f"{streams} streams cannot show the lists of {len(users)} users.", hint="Take more.")
    return [*users, *(f"onlooker-{number}" for number in range(streams - len(users)))]


def _traffic(source: Iterator[Event], events_per_s: float, seconds: float) -> AsyncIterator[Event]:
    return paced(islice(source, max(1, int(events_per_s * seconds))), events_per_s)


def _all(settled: bool, taken_s: Sequence[float]) -> list[float]:
    if not settled:
        raise RiverrunError(f"Not everybody got a list within {_SETTLE_TIMEOUT_S:.0f} s.")
    return list(taken_s)


def _percentiles(taken_s: Sequence[float]) -> Percentiles:
    ordered = sorted(taken_s)
    return Percentiles(*(round(percentile(ordered, share) * _MS_PER_S, 2) for share in (0.50, 0.95, 0.99)))
