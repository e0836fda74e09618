"""The gateway, put together: the only file that names its concrete parts side by side."""

import asyncio
import logging
import signal
import time
import uuid
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from app.gateway import metrics as table
from app.gateway.application import ApiRoute, make_application
from app.gateway.auth import AccessRules, Doorkeeper
from app.gateway.catalog import Catalog
from app.gateway.endpoints import Desk, Endpoints
from app.gateway.events import EventLimits, Outbound
from app.gateway.following import CLIENT_ID, Follower, FollowState, Source
from app.gateway.health import Health
from app.gateway.intake import Intake, IntakeDesk
from app.gateway.keepers import CatalogKeeper
from app.gateway.posting import Posting, PostingLimits, Stored
from app.gateway.recent import RecentEvents
from app.gateway.response import StreamTerms
from app.gateway.server import listen, make_server
from app.gateway.shelf import ROLE as LISTS_ROLE
from app.gateway.shelf import Shelf, ShelfParts
from app.gateway.streams import Listeners, Signal
from app.interpreter import tune_interpreter
from app.kafka.publisher import connected_producer
from app.kafka.topic_ids import topic_ids
from app.kafka.topics import Topics, TopicSpec
from app.observability import Metrics
from app.settings import Settings

CATALOG_ROLE: Final = "catalog"
_BEAT_S: Final = 1.0
_FLUSH_EVERY_S: Final = 60.0
_MS_PER_S: Final = 1_000

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Installation:
    """What one gateway is made for.

    Args:
        settings: all of them.
        rules: who may come in, checked.
        bootstrap_servers: where Kafka is.
        topics: their names.
        topic_ids: Kafka's ids of them, by name.
        state_dir: claimed.
        followed: the state of every topic that is followed, by role.
    """

    settings: Settings
    rules: AccessRules
    bootstrap_servers: str
    topics: Topics
    topic_ids: Mapping[str, str]
    state_dir: Path
    followed: Mapping[str, FollowState]


async def serve(installation: Installation, metrics: Metrics, health: Health) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        KafkaUnreachable: no broker answers at the start.
        SettingsError: the port is in use.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    gateway = installation.settings.gateway
    listeners, catalog, recent = Listeners(), Catalog(), RecentEvents(gateway.recent_events)
    doorkeeper = Doorkeeper(installation.rules, time.time)
    parts = ShelfParts(installation.state_dir, gateway.write_buffer_mb, catalog, listeners, recent, metrics, _clock_ms)
    async with AsyncExitStack() as stack:
        shelf = Shelf(parts, installation.topic_ids[installation.topics.recommendations.name])
        stack.callback(shelf.close)
        producer = await connected_producer(
            installation.bootstrap_servers, CLIENT_ID, installation.settings.kafka.request_timeout_ms
        )
        stack.push_async_callback(producer.stop)

        def stored(user_id: str, place: Stored) -> None:
            recent.remember(user_id, place.event_id, place.offset)
            listeners.tell(user_id, Signal.LOOK)

        posting = Posting(
            partial(_send, producer, installation.topics.events.name),
            PostingLimits(gateway.max_in_flight_events, gateway.ack_timeout_s),
            stored,
        )
        agents = installation.settings.agents
        intake = Intake(
            IntakeDesk(
                doorkeeper, posting, EventLimits(agents.max_event_bytes, agents.max_future_s * _MS_PER_S),
                gateway.max_body_bytes, _clock_ms, lambda: uuid.uuid4().hex, metrics,
            )
        )  # fmt: skip
        terms = StreamTerms(listeners, gateway.slow_client_s, metrics)
        endpoints = Endpoints(Desk(doorkeeper, shelf, catalog, listeners, terms, gateway.max_streams, health, metrics))
        app = make_application(
            _api(endpoints, intake), metrics,
            allowed_origins=_listed(gateway.allowed_origins), log_access=gateway.access_log,
        )  # fmt: skip
        followers = [
            _follower(installation, installation.topics.recommendations, shelf, LISTS_ROLE),
            _follower(installation, installation.topics.catalog, CatalogKeeper(catalog, metrics), CATALOG_ROLE),
        ]
        listener = listen(gateway.host, gateway.port)
        stack.callback(listener.close)
        server = make_server(app)
        logger.info("Gateway on http://%s:%d.", *listener.getsockname()[:2])
        tune_interpreter()
        others = [asyncio.create_task(each.run()) for each in followers]
        others.append(asyncio.create_task(_tick(installation, listeners, posting, metrics, health)))
        others.append(asyncio.create_task(_flush(shelf)))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopping, *others}, return_when=asyncio.FIRST_COMPLETED)
        health.stopping = True
        server.should_exit = True
        listeners.end()
        await asyncio.wait({serving})
        for task in (*others, stopping):
            task.cancel()
        for result in await asyncio.gather(serving, *others, return_exceptions=True):
            if isinstance(result, Exception):
                raise result


def _api(endpoints: Endpoints, intake: Intake) -> list[ApiRoute]:
    user = "/v1/users/{user_id:path}"
    return [
        ApiRoute("POST", "/v1/events", "events", intake.events),
        ApiRoute("POST", "/v1/tokens", "tokens", intake.tokens),
        ApiRoute("GET", f"{user}/recommendations", "recommendations", endpoints.recommendations),
        ApiRoute("GET", f"{user}/recommendations/stream", "stream", endpoints.stream),
        ApiRoute("GET", "/v1/users", "users", endpoints.users),
        ApiRoute("GET", "/v1/items", "items", endpoints.items),
        ApiRoute("GET", "/v1/items/{item_id:path}", "item", endpoints.item),
        ApiRoute("GET", "/readyz", "readyz", endpoints.readyz),
    ]


def _follower(installation: Installation, topic: TopicSpec, keeper: Any, role: str) -> Follower:
    source = Source(
        installation.bootstrap_servers,
        topic,
        installation.settings.kafka.request_timeout_ms,
        lambda: topic_ids(installation.bootstrap_servers, [topic.name])[topic.name],
    )
    return Follower(source, keeper, installation.topic_ids[topic.name], installation.followed[role])


async def _send(producer: AIOKafkaProducer, topic: str, event: Outbound) -> "asyncio.Future[Any]":
    acknowledgement: asyncio.Future[Any] = await producer.send(topic, event.value, key=event.user_id.encode())
    return acknowledgement


async def _tick(
    installation: Installation, listeners: Listeners, posting: Posting, metrics: Metrics, health: Health
) -> None:
    """Once a second: show that the loop runs, let streams beat, and look at what is counted only now and then."""
    while True:
        health.beat()
        listeners.beat()
        metrics.gauge(table.STREAMS).set(len(listeners))
        metrics.gauge(table.IN_FLIGHT).set(posting.in_flight)
        metrics.gauge(table.READY).set(1 if health.ready().ok else 0)
        for role, state in installation.followed.items():
            metrics.gauge(table.LAG, role).set(state.behind)
        await asyncio.sleep(_BEAT_S)


async def _flush(shelf: Shelf) -> None:
    """A tombstone lives for a day in its topic; what it erased must not come back after a crash."""
    while True:
        await asyncio.sleep(_FLUSH_EVERY_S)
        await asyncio.to_thread(shelf.flush)


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _clock_ms() -> int:
    return time.time_ns() // 1_000_000
