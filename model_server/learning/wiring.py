"""The learner, put together: Kafka's ends, the store's thread, the children, and the loop."""

import asyncio
import signal
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from app.interests.intake import IntakeLimits
from app.kafka.access import KafkaAccess
from app.kafka.publisher import Publisher, connected_producer
from app.kafka.tail import open_tail
from app.kafka.topics import Topics
from app.observability import Metrics
from app.settings import Settings
from model_server.learning.catalog import KeptCatalog
from model_server.learning.children import judge, manner_of, train
from model_server.learning.followers import follow_catalog, follow_events
from model_server.learning.health import Health
from model_server.learning.keeper import Keeper
from model_server.learning.learner import Learner, Pace
from model_server.learning.past import past_items
from model_server.learning.store import EventStore
from model_server.learning.workshop import Workshop
from model_server.swap.updates import tell_update

CLIENT: Final = "riverrun-learner"
_LOOK_S: Final = 0.5
_PAUSE_S: Final = 10.0
_GATHERED_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class Place:
    """Where the learner works: the way to Kafka, the topics' names, and its own folder."""

    access: KafkaAccess
    topics: Topics
    folder: Path


async def learn(
    settings: Settings, place: Place, store: EventStore, pace: Pace, observed: tuple[Metrics, Health]
) -> None:
    """Learn until SIGTERM or SIGINT.

    Raises:
        KafkaUnreachable: no broker answers at the start.
    """
    metrics, health = observed
    timeout_ms, topics = settings.kafka.request_timeout_ms, place.topics
    async with AsyncExitStack() as stack:
        publisher = Publisher(await connected_producer(place.access, CLIENT, timeout_ms))
        stack.push_async_callback(publisher.stop)
        events = await stack.enter_async_context(
            open_tail(place.access, topics.events, timeout_ms, client_id=CLIENT, gather_bytes=_GATHERED_BYTES)
        )
        offers = await stack.enter_async_context(
            open_tail(place.access, topics.catalog, timeout_ms, client_id=f"{CLIENT}-catalog")
        )
        catalog = KeptCatalog(past_items(place.folder))
        limits = IntakeLimits(settings.agents.max_event_bytes, settings.agents.max_future_s * 1_000)
        thread = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="event-store"))
        keeper = Keeper(store, catalog, limits, thread, _clock_ms, metrics)
        manner = manner_of(settings)
        workshop = Workshop(
            folder=place.folder,
            models_dir=manner.models_dir,
            taken=keeper.taken,
            more=partial(asyncio.sleep, _LOOK_S),
            pause=partial(asyncio.sleep, _PAUSE_S),
            snapshot=keeper.snapshot,
            train=partial(train, manner=manner),
            judge=partial(judge, manner=manner),
            announce=partial(tell_update, publisher, topics.model_updates.name),
            metrics=metrics,
            clock_ms=_clock_ms,
        )

        async def loop() -> None:
            await health.catalog_read.wait()
            await Learner(workshop, pace).run()

        await _until_stopped(
            follow_events(events, store.manifest, keeper, health, metrics),
            follow_catalog(offers, catalog, health),
            loop(),
        )


async def _until_stopped(*works: Coroutine[None, None, None]) -> None:
    """Wait for a signal; the end of any of these before it is an error of that one."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    tasks = [asyncio.create_task(work) for work in works]
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    for task in (*tasks, stopping):
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            raise result


def _clock_ms() -> int:
    return time.time_ns() // 1_000_000
