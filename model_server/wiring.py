"""The model server, put together: Kafka's ends, the worker, and the switch that says which version scores.

What belongs to one version is put together in `model_server.swap.assembly`.
"""

import asyncio
import logging
import signal
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaConnectionError

from app.interpreter import tune_interpreter
from app.kafka.fetch_wait import FetchWait
from app.kafka.permissions import SCORE
from app.kafka.publisher import Publisher, connected_producer, unreachable
from app.kafka.stopping import stop_consumer
from app.kafka.tail import open_tail
from app.observability import Metrics, ObservabilityServer
from app.settings import Settings
from model_server import metrics as table
from model_server.health import Health, watch
from model_server.installation import Installation
from model_server.lag import beat, measure_lag
from model_server.newcomers import ask_for_newcomers
from model_server.registry.find import Load, find_version
from model_server.registry.load import load_fitting
from model_server.registry.version import ModelVersion
from model_server.swap.assembly import rails_of
from model_server.swap.backstage import Backstage
from model_server.swap.running import running
from model_server.swap.switch import Switch
from model_server.swap.updates import hear_updates, tell_update
from model_server.worker import Means, Topology, Worker

GROUP: Final = SCORE.group
_GRACE_S: Final = 8.0
_MAX_PARTITION_FETCH_BYTES: Final = 1 << 20

logger = logging.getLogger(__name__)


async def serve(installation: Installation, metrics: Metrics, health: Health) -> None:
    """Score until SIGTERM or SIGINT.

    Raises:
        ModelVersionError: there is no version that can be served.
        KafkaUnreachable: no broker answers at the start.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    settings, topics = installation.settings, installation.topics
    async with AsyncExitStack() as stack:
        access, timeout_ms = installation.access, settings.kafka.request_timeout_ms
        publisher = Publisher(await connected_producer(access, GROUP, timeout_ms))
        stack.push_async_callback(publisher.stop)
        updates = await stack.enter_async_context(
            open_tail(access, topics.model_updates, timeout_ms, client_id=f"{GROUP}-updates")
        )
        requests = await stack.enter_async_context(_group_consumer(installation))
        thread = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="scoring"))
        # Not of low priority: kept from running while it holds the interpreter's lock, it would keep clicks waiting.
        loading = ThreadPoolExecutor(1, thread_name_prefix="model-loading")
        stack.callback(loading.shutdown, wait=False, cancel_futures=True)  # the group is left without waiting for it
        switch = Switch(_backstage(installation, metrics, publisher, (loading, thread)))
        means = Means(
            consumer=requests,
            publisher=publisher,
            scoring=switch.scoring,
            thread=thread,
            max_batch_users=settings.scoring.max_batch_users,
            fetch_wait=FetchWait(requests, settings.scoring.fetch_max_wait_ms, time.monotonic),
            health=health,
            metrics=metrics,
            clock_ms=_clock_ms,
        )
        worker = Worker(means, Topology(topics.score_requests.name, topics.dead_letters.name))

        async def work() -> None:
            # Lists from half a catalog would replace good ones, so nothing is scored before.
            await switch.begun.wait()
            tune_interpreter()
            health.catalog_ready = True
            await worker.run(stop)

        newcomers_every_s = settings.scoring.newcomers_every_s
        await _until_stopped(
            stop,
            asyncio.create_task(work(), name="worker"),
            [
                asyncio.create_task(
                    switch.run(partial(_first, installation), follow=installation.pinned is None), name="switch"
                ),
                asyncio.create_task(hear_updates(updates, switch.look), name="updates"),
                asyncio.create_task(
                    ask_for_newcomers(publisher, topics.score_requests, newcomers_every_s, _clock_ms), name="newcomers"
                ),
                asyncio.create_task(measure_lag(requests, health, metrics), name="lag"),
                asyncio.create_task(beat(health, metrics), name="beat"),
            ],
        )


def run(installation: Installation, observed: tuple[Metrics, Health]) -> None:
    """Serve with a watchdog beside it."""
    metrics, health = observed
    logger.info("On %s, group %s.", installation.device, installation.group)
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
    metrics.gauge(table.READY).set(0)
    server = ObservabilityServer(
        settings.scoring.metrics_port,
        "RIVERRUN_SCORING__METRICS_PORT",
        metrics.registry,
        health=health.healthy,
        ready=health.ready,
    )
    return metrics, health, server


def _backstage(
    installation: Installation, metrics: Metrics, publisher: Publisher, threads: tuple[Executor, Executor]
) -> Backstage:
    loading, scoring = threads
    return Backstage(
        models_dir=installation.settings.scoring.models_dir,
        load=_loader(installation),
        start=partial(running, installation=installation, metrics=metrics),
        loading=loading,
        scoring=scoring,
        announce=partial(tell_update, publisher, installation.topics.model_updates.name),
        metrics=metrics,
        rails=rails_of(installation),
        clock_ms=_clock_ms,
        now_s=time.monotonic,
    )


def _loader(installation: Installation) -> Load:
    return partial(load_fitting, device=installation.device, text_encoder=installation.encoder_of(None).fingerprint)


def _first(installation: Installation) -> ModelVersion:
    return find_version(installation.settings.scoring.models_dir, installation.pinned, _loader(installation))


@asynccontextmanager
async def _group_consumer(installation: Installation) -> AsyncIterator[AIOKafkaConsumer]:
    kafka = installation.settings.kafka
    consumer = AIOKafkaConsumer(
        **installation.access.arguments(),
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
        await stop_consumer(consumer)
        raise await unreachable(installation.access) from error
    try:
        yield consumer
    finally:
        await stop_consumer(consumer)


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


def _clock_ms() -> int:
    return time.time_ns() // 1_000_000
