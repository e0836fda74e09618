"""From sending an event to holding the list that knows of it, beside a bare echo over as many Kafka hops."""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from itertools import chain, count, islice
from pathlib import Path
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from msgspec import Struct, structs, to_builtins

from app.contracts.events import Event, InvalidEvent, decode_event
from app.demo.live import Stage
from app.demo.run import HOLDOUT_EVENTS, staged
from app.demo.scorecard import percentile
from app.demo.shopfront import Shopfront
from app.errors import RiverrunError
from app.kafka.topic_admin import apply_topics, delete_topics
from app.kafka.topics import Topics
from app.processes.guarded import GuardedProcess
from app.replay import events_of, paced, publish_events, replay_producer
from app.settings import Settings

_READY_TIMEOUT_S: Final = 120.0
_SETTLE_TIMEOUT_S: Final = 60.0
_WARM_UP_S: Final = 20.0
_ECHO_WARM_UP_EVENTS: Final = 300
_MS_PER_S: Final = 1_000


class RateFreshness(Struct, frozen=True):
    """Freshness at one rate. `floor_p50_ms`: the echo's; `ratio_p50`: how many times the floor riverrun takes."""

    events_per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    floor_p50_ms: float
    floor_p99_ms: float
    ratio_p50: float


class FreshnessBench(Struct, frozen=True):
    """One run of the measurement."""

    rates: tuple[RateFreshness, ...]
    events_per_rate: tuple[int, ...]
    model_version: str

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        values: dict[str, Any] = to_builtins(self)
        return values


def measure_freshness(
    settings: Settings, rates: list[float], seconds: float, say: Callable[[str], None]
) -> FreshnessBench:
    """Start everything and measure each rate for so many seconds.

    Raises:
        RiverrunError: something is missing, a process failed, or a list never came.
    """
    with staged(settings, say) as stage:
        measured = asyncio.run(_measure(stage, rates, seconds, say))
    return FreshnessBench(
        rates=tuple(measured),
        events_per_rate=tuple(int(rate * seconds) for rate in rates),
        model_version=stage.model_version,
    )


async def _measure(stage: Stage, rates: list[float], seconds: float, say: Callable[[str], None]) -> list[RateFreshness]:
    results: list[RateFreshness] = []
    source = _endless(stage)
    await asyncio.to_thread(stage.pipeline.wait_ready, _READY_TIMEOUT_S)
    async with Shopfront(stage.bootstrap_servers, stage.topics.recommendations) as shop:
        say(f"Warming up for {_WARM_UP_S:.0f} s: the broker's Java compiles itself")
        await _through_riverrun(stage, shop, source, max(rates), int(max(rates) * _WARM_UP_S))
        for rate in rates:
            events = max(1, int(rate * seconds))
            taken = await _through_riverrun(stage, shop, source, rate, events)
            floor = await _through_echo(stage, source, rate, events)
            p50, p95, p99 = (_ms(taken, share) for share in (0.50, 0.95, 0.99))
            floor_p50 = _ms(floor, 0.50)
            ratio = round(p50 / floor_p50, 2)
            results.append(RateFreshness(rate, p50, p95, p99, floor_p50, _ms(floor, 0.99), ratio))
            say(f"{rate:g} events/s: p50 {p50} ms, p99 {p99} ms; bare echo p50 {floor_p50} ms")
    return results


async def _through_riverrun(
    stage: Stage, shop: Shopfront, source: Iterator[Event], rate: float, events: int
) -> list[float]:
    shop.ledger.start_counting()
    traffic = paced(islice(source, events), rate)
    await shop.visit(stage.topics.events.name, traffic, lambda _event: None)
    if not await shop.settled(_SETTLE_TIMEOUT_S):
        stage.pipeline.check()
        raise RiverrunError(f"{len(shop.ledger.owed())} users got no list within {_SETTLE_TIMEOUT_S:.0f} s.")
    return list(shop.ledger.freshness_s)


async def _through_echo(stage: Stage, source: Iterator[Event], rate: float, events: int) -> list[float]:
    """The same traffic over three topics with nothing but two relays between them; seconds, sorted."""
    topics = stage.topics.with_prefix(f"echo-{time.time_ns():x}-")
    await asyncio.to_thread(apply_topics, stage.bootstrap_servers, topics)
    hops = [topics.events, topics.score_requests, topics.recommendations]
    arguments = [stage.bootstrap_servers, *(hop.name for hop in hops), str(topics.events.partitions)]
    command = [sys.executable, "-m", "app.bench.echo", *arguments]
    try:
        with GuardedProcess(command, Path(tempfile.mkdtemp(prefix="riverrun-echo-"))) as echo:
            echo.start()
            consumer = AIOKafkaConsumer(
                bootstrap_servers=stage.bootstrap_servers, enable_auto_commit=False, fetch_max_wait_ms=50
            )
            async with consumer, replay_producer(stage.bootstrap_servers) as producer:
                consumer.assign([TopicPartition(hops[2].name, number) for number in range(hops[2].partitions)])
                await consumer.seek_to_beginning()
                await _echoed(producer, consumer, topics, paced(islice(source, _ECHO_WARM_UP_EVENTS), 100.0))
                return await _echoed(producer, consumer, topics, paced(islice(source, events), rate))
    finally:
        await asyncio.to_thread(delete_topics, stage.bootstrap_servers, topics)


async def _echoed(
    producer: AIOKafkaProducer, consumer: AIOKafkaConsumer, topics: Topics, traffic: AsyncIterator[Event]
) -> list[float]:
    sent_s: dict[str, float] = {}
    arrived_s: dict[str, float] = {}
    all_sent = asyncio.Event()

    async def collect() -> None:
        while not (all_sent.is_set() and len(arrived_s) >= len(sent_s)):
            polled = await consumer.getmany(timeout_ms=100)
            now_s = time.perf_counter()
            for record in chain.from_iterable(polled.values()):
                event = decode_event(record.value)
                if not isinstance(event, InvalidEvent):
                    arrived_s[event.event_id] = now_s

    def stored(event: Event, _offset: int, at_s: float) -> None:
        sent_s[event.event_id] = at_s

    async with asyncio.timeout(None) as limit, asyncio.TaskGroup() as tasks:
        tasks.create_task(collect())
        await publish_events(producer, topics.events.name, traffic, lambda _event: None, stored)
        all_sent.set()
        limit.reschedule(asyncio.get_running_loop().time() + _SETTLE_TIMEOUT_S)
    return sorted(arrived_s[event_id] - at_s for event_id, at_s in sent_s.items())


def _endless(stage: Stage) -> Iterator[Event]:
    """The newest events again and again, each with an id of its own and later than those before."""
    stop = len(stage.dataset.interactions)
    events = list(events_of(stage.dataset, stop - HOLDOUT_EVENTS, stop))
    span_ms = events[-1].ts_ms - events[0].ts_ms + 1
    for lap in count():
        for event in events:
            yield structs.replace(event, event_id=f"{event.event_id}-{lap}", ts_ms=event.ts_ms + lap * span_ms)


def _ms(sorted_s: Sequence[float], share: float) -> float:
    return round(percentile(sorted_s, share) * _MS_PER_S, 2)
