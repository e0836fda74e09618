"""From sending an event to holding the list that knows of it, beside a bare echo over as many Kafka hops.

Each rate is measured in rounds, riverrun and echo in turned order, and the figures are those of all rounds together.
Saturation is measured first: how many events a second get their lists when they come as fast as they can.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from statistics import median
from typing import Any, Final

from msgspec import Struct, structs, to_builtins

from app.bench.floor import EchoFloor
from app.bench.turns import turned
from app.contracts.events import Event
from app.demo.live import Stage
from app.demo.run import HOLDOUT_EVENTS, staged
from app.demo.scorecard import percentile
from app.demo.shopfront import Shopfront
from app.errors import RiverrunError
from app.replay import events_of, paced
from app.settings import Settings

_READY_TIMEOUT_S: Final = 120.0
_SETTLE_TIMEOUT_S: Final = 60.0
_WARM_UP_S: Final = 20.0
_ECHO_WARM_UP_EVENTS: Final = 300
_ECHO_WARM_UP_EVENTS_PER_S: Final = 100.0
_FLOOD_EVENTS: Final = 20_000
_FLOODS: Final = 3
_MS_PER_S: Final = 1_000

Way = Callable[[AsyncIterator[Event]], Awaitable[list[float]]]
"""Sends events and tells how many seconds each was under way."""


@dataclass(frozen=True, slots=True)
class FreshnessPlan:
    """What is measured.

    Attributes:
        rates: events a second.
        seconds: how long each is held in a round.
        saturation_share: one more rate, as a share of saturation; 0: none.
    """

    rates: tuple[float, ...]
    seconds: float
    rounds: int
    saturation_share: float


class RateFreshness(Struct, frozen=True):
    """Freshness at one rate. `floor_p50_ms`: the echo's; `ratio_p50`: how many times the floor riverrun takes."""

    events_per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    floor_p50_ms: float
    floor_p95_ms: float
    floor_p99_ms: float
    ratio_p50: float
    events: int


class FreshnessBench(Struct, frozen=True):
    """One run of the measurement. The last of the rates is `saturation_share` of saturation, where that was asked."""

    rates: tuple[RateFreshness, ...]
    saturation_events_per_s: float | None
    saturation_share: float
    rounds: int
    model_version: str

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        values: dict[str, Any] = to_builtins(self)
        return values


def measure_freshness(settings: Settings, plan: FreshnessPlan, say: Callable[[str], None]) -> FreshnessBench:
    """Start everything and measure each rate.

    Raises:
        RiverrunError: something is missing, a process failed, or a list never came.
    """
    with staged(settings, say) as stage:
        return asyncio.run(_measure(stage, plan, say))


async def _measure(stage: Stage, plan: FreshnessPlan, say: Callable[[str], None]) -> FreshnessBench:
    source, rates = endless(stage), list(plan.rates)
    saturation: float | None = None
    await asyncio.to_thread(stage.pipeline.wait_ready, _READY_TIMEOUT_S)
    async with (
        Shopfront(stage.access, stage.topics.recommendations) as shop,
        EchoFloor(stage.access, stage.topics) as floor,
    ):
        listed: Way = partial(_listed_s, stage, shop)
        echoed: Way = floor.echoed_s
        say(f"Warming up for {_WARM_UP_S:.0f} s: the broker's Java compiles itself")
        await listed(paced(islice(source, int(max(rates) * _WARM_UP_S)), max(rates)))
        await echoed(paced(islice(source, _ECHO_WARM_UP_EVENTS), _ECHO_WARM_UP_EVENTS_PER_S))
        if plan.saturation_share:
            saturation = median([await _flood(listed, source) for _ in range(_FLOODS)])
            say(f"saturated at {saturation:,.0f} events/s")
            rates.append(float(round(plan.saturation_share * saturation)))
        ours: dict[float, list[float]] = {rate: [] for rate in rates}
        echo: dict[float, list[float]] = {rate: [] for rate in rates}
        for number in range(plan.rounds):
            for rate in rates:
                for way, taken_s in turned(((listed, ours), (echoed, echo)), number):
                    taken_s[rate] += await way(paced(islice(source, max(1, int(rate * plan.seconds))), rate))
                say(f"round {number + 1}: {rate:g} events/s done")
    return FreshnessBench(
        rates=summarise(ours, echo),
        saturation_events_per_s=saturation and round(saturation, 1),
        saturation_share=plan.saturation_share,
        rounds=plan.rounds,
        model_version=stage.model_version,
    )


async def _flood(listed: Way, source: Iterator[Event]) -> float:
    """Events a second that get their lists when they come at once."""
    started_s = time.perf_counter()
    taken_s = await listed(paced(islice(source, _FLOOD_EVENTS), 0.0))
    return len(taken_s) / (time.perf_counter() - started_s)


async def _listed_s(stage: Stage, shop: Shopfront, traffic: AsyncIterator[Event]) -> list[float]:
    """Send these events; seconds from each to the list that knows of it.

    Raises:
        RiverrunError: somebody got none.
    """
    shop.ledger.start_counting()
    await shop.visit(stage.topics.events.name, traffic, lambda _event: None)
    if not await shop.settled(_SETTLE_TIMEOUT_S):
        stage.pipeline.check()
        raise RiverrunError(f"{len(shop.ledger.owed())} users got no list within {_SETTLE_TIMEOUT_S:.0f} s.")
    return list(shop.ledger.freshness_s)


def summarise(
    ours: Mapping[float, Sequence[float]], echo: Mapping[float, Sequence[float]]
) -> tuple[RateFreshness, ...]:
    """Percentiles of what each rate's events took, in seconds, through riverrun and through the echo."""
    return tuple(_summary(rate, sorted(taken), sorted(echo[rate])) for rate, taken in ours.items())


def _summary(rate: float, ours: Sequence[float], echo: Sequence[float]) -> RateFreshness:
    p50, p95, p99 = (round(percentile(ours, share) * _MS_PER_S, 2) for share in (0.50, 0.95, 0.99))
    floor_p50, floor_p95, floor_p99 = (round(percentile(echo, share) * _MS_PER_S, 2) for share in (0.50, 0.95, 0.99))
    ratio = round(p50 / floor_p50, 2)
    return RateFreshness(rate, p50, p95, p99, floor_p50, floor_p95, floor_p99, ratio, len(ours))


def endless(stage: Stage) -> Iterator[Event]:
    """The newest events again and again, each with an id of its own and later than those before."""
    stop = len(stage.dataset.interactions)
    events = list(events_of(stage.dataset, stop - HOLDOUT_EVENTS, stop))
    span_ms = events[-1].ts_ms - events[0].ts_ms + 1
    for lap in count():
        for event in events:
            yield structs.replace(event, event_id=f"{event.event_id}-{lap}", ts_ms=event.ts_ms + lap * span_ms)
