"""The model server, put together: the only file that names its concrete parts side by side."""

import asyncio
import logging
import signal
import threading
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

import torch
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaConnectionError

from app.interests.intake import IntakeLimits
from app.interests.state import Interaction, Kind, StateCause, UserState
from app.interpreter import tune_interpreter
from app.kafka.fetch_wait import FetchWait
from app.kafka.publisher import Publisher, connected_producer, unreachable
from app.kafka.tail import open_tail
from app.kafka.topics import Topics
from app.observability import Metrics, ObservabilityServer
from app.settings import Settings
from app.surfaces.surface import load_surfaces
from app.surfaces.touches import history_of
from model_server import metrics as table
from model_server.counts.live import LiveCoVisitation
from model_server.health import Health, watch
from model_server.hybrid.again import ServedRanker
from model_server.hybrid.served import ServedModel
from model_server.hybrid.sources import hybrid_of
from model_server.items.follower import follow_catalog
from model_server.items.index import ItemIndex
from model_server.items.rows import ItemRows
from model_server.items.shelf import Shelf
from model_server.lag import beat, measure_lag
from model_server.lists import Edition
from model_server.live_hits import LiveHits, promise
from model_server.model.continued import ContinuedEncoder
from model_server.model.memory import EncodingMemory
from model_server.model.serving import fastest_encoder
from model_server.newcomers import ask_for_newcomers
from model_server.popularity.follower import Counting, follow_events
from model_server.popularity.live import LivePopularity
from model_server.registry.version import ModelVersion, TrainedModel, trained_items
from model_server.scoring.scorer import Scorer
from model_server.text.encoder import TextEncoder
from model_server.worker import Means, Topology, Worker

VARIANT: Final = "default"
GROUP: Final = "riverrun-model-server"
_GRACE_S: Final = 8.0
_CLOSE_S: Final = 5.0
_MAX_PARTITION_FETCH_BYTES: Final = 1 << 20
_GATHERED_EVENT_BYTES: Final = 65_536

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Installation:
    """What one model server is made for.

    Args:
        settings: all of them; `kafka.bootstrap_servers` is `bootstrap_servers`.
        bootstrap_servers: where Kafka is.
        topics: their names.
        group: the consumer group that shares the work.
        device: where to compute.
        version: the model to serve.
        encoder: texts of new items to vectors.
    """

    settings: Settings
    bootstrap_servers: str
    topics: Topics
    group: str
    device: torch.device
    version: ModelVersion
    encoder: TextEncoder


async def serve(installation: Installation, metrics: Metrics, health: Health) -> None:
    """Score until SIGTERM or SIGINT.

    Raises:
        KafkaUnreachable: no broker answers at the start.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    settings, model = installation.settings, installation.version.model
    rows = ItemRows(model.item_ids)
    index = ItemIndex(model.network, trained_items(model), installation.device, rows=rows)
    limits = IntakeLimits(settings.agents.max_event_bytes, settings.agents.max_future_s * 1_000)
    half_life_days = settings.scoring.popularity_half_life_days
    popularity = LivePopularity(model.popularity, half_life_days)
    covisitation = LiveCoVisitation(model.hybrid.covisitation, model.hybrid.options, rows)
    counting = Counting((popularity, covisitation), limits, half_life_days)
    surfaces = load_surfaces(settings.scoring.surfaces_file)
    hits = LiveHits(metrics, installation.version.name, surfaces.surfaces[0].name)
    scorer = Scorer(
        ServedModel(model.network, _encoder(installation), hybrid_of(model.hybrid, covisitation), _ranker(model)),
        index,
        surfaces,
        lambda: popularity.ranking,
        installation.device,
    )
    async with AsyncExitStack() as stack:
        address, timeout_ms = installation.bootstrap_servers, settings.kafka.request_timeout_ms
        publisher = Publisher(await connected_producer(address, GROUP, timeout_ms))
        stack.push_async_callback(publisher.stop)
        tail = partial(open_tail, address, request_timeout_ms=timeout_ms, client_id=f"{GROUP}-tail")
        catalog = await stack.enter_async_context(tail(installation.topics.catalog))
        events = await stack.enter_async_context(tail(installation.topics.events, gather_bytes=_GATHERED_EVENT_BYTES))
        requests = await stack.enter_async_context(_group_consumer(installation))
        shelf = stack.enter_context(Shelf(index, installation.encoder))
        thread = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="scoring"))
        means = Means(
            consumer=requests,
            publisher=publisher,
            score=hits.watch(scorer.score),
            thread=thread,
            max_batch_users=settings.scoring.max_batch_users,
            fetch_wait=FetchWait(requests, settings.scoring.fetch_max_wait_ms, time.monotonic),
            health=health,
            metrics=metrics,
            clock_ms=_clock_ms,
        )
        worker = Worker(means, _topology(installation))
        catalog_read = asyncio.Event()

        async def work() -> None:
            # Lists from half a catalog would replace good ones, so nothing is scored before.
            await catalog_read.wait()
            await asyncio.get_running_loop().run_in_executor(thread, _warm_up, scorer, model.item_ids)
            tune_interpreter()
            health.catalog_ready = True
            await worker.run(stop)

        await _until_stopped(
            stop,
            asyncio.create_task(work(), name="worker"),
            [
                asyncio.create_task(follow_catalog(catalog, shelf, index, catalog_read, metrics), name="catalog"),
                asyncio.create_task(shelf.encode_forever(), name="texts"),
                asyncio.create_task(follow_events(events, counting, _clock_ms(), metrics)),
                asyncio.create_task(
                    ask_for_newcomers(
                        publisher, installation.topics.score_requests, settings.scoring.newcomers_every_s, _clock_ms
                    ),
                    name="newcomers",
                ),
                asyncio.create_task(measure_lag(requests, health, metrics), name="lag"),
                asyncio.create_task(beat(health), name="beat"),
            ],
        )


def run(installation: Installation, observed: tuple[Metrics, Health]) -> None:
    """Serve with a watchdog beside it."""
    metrics, health = observed
    version, device = installation.version.name, str(installation.device)
    metrics.gauge(table.MODEL_INFO, version, device).set(1)
    promise(metrics, installation.version)
    logger.info("Model %s on %s, group %s.", version, device, installation.group)
    over = threading.Event()
    watch(health, over)
    try:
        asyncio.run(serve(installation, metrics, health))
    finally:
        over.set()


def observe(settings: Settings) -> tuple[Metrics, Health, ObservabilityServer]:
    """Metrics, health and the port that shows them; up before the model is loaded, and unready until it works.

    Raises:
        SettingsError: the port is in use.
    """
    metrics, health = Metrics(table.TABLE), Health(time.monotonic)
    server = ObservabilityServer(
        settings.scoring.metrics_port,
        "RIVERRUN_SCORING__METRICS_PORT",
        metrics.registry,
        health=health.healthy,
        ready=health.ready,
    )
    return metrics, health, server


def _encoder(installation: Installation) -> ContinuedEncoder:
    network, device = installation.version.model.network, installation.device
    memory = EncodingMemory(installation.settings.scoring.remembered_users, network.config.memory_width, device)
    return ContinuedEncoder(fastest_encoder(network, device), memory, device)


def _ranker(model: TrainedModel) -> ServedRanker | None:
    return None if model.ranker is None else ServedRanker(model.ranker, _clock_ms)


def _topology(installation: Installation) -> Topology:
    topics = installation.topics
    edition = Edition(topics.recommendations.name, installation.version.name, VARIANT)
    return Topology(topics.score_requests.name, topics.dead_letters.name, edition)


@asynccontextmanager
async def _group_consumer(installation: Installation) -> AsyncIterator[AIOKafkaConsumer]:
    kafka = installation.settings.kafka
    consumer = AIOKafkaConsumer(
        bootstrap_servers=installation.bootstrap_servers,
        client_id=GROUP,
        group_id=installation.group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=kafka.session_timeout_ms,
        heartbeat_interval_ms=kafka.heartbeat_interval_ms,
        fetch_max_wait_ms=installation.settings.scoring.fetch_max_wait_ms,
        max_partition_fetch_bytes=_MAX_PARTITION_FETCH_BYTES,
    )
    try:
        await consumer.start()
    except KafkaConnectionError as error:
        await consumer.stop()
        raise unreachable(installation.bootstrap_servers) from error
    try:
        yield consumer
    finally:
        # Leaves the group, so that the others take over at once; with the broker away it would wait for long.
        await asyncio.wait({asyncio.create_task(consumer.stop())}, timeout=_CLOSE_S)


async def _until_stopped(stop: asyncio.Event, worker: "asyncio.Task[None]", others: "list[asyncio.Task[None]]") -> None:
    """Wait for the end of the worker; the end of another task before that is an error of that task."""
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({worker, stopping, *others}, return_when=asyncio.FIRST_COMPLETED)
    if stop.is_set():
        await asyncio.wait({worker}, timeout=_GRACE_S)
    tasks = [worker, *others]
    for task in (*tasks, stopping):
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


def _warm_up(scorer: Scorer, item_ids: Sequence[str]) -> None:
    """Let torch allocate and choose its kernels before the first shopper waits for it."""
    history = [Interaction(item_id, Kind.VIEW, place) for place, item_id in enumerate(item_ids[:50])]
    for users in (1, 1, 8, 64):
        # Strangers, then the same users again with one interaction more.
        for seen in (49, 50):
            state = UserState.of(0, StateCause("", "", 0, 0), history[:seen])
            scorer.score([f"\0{number}" for number in range(users)], [history_of(state)] * users)


def _clock_ms() -> int:
    return time.time_ns() // 1_000_000
