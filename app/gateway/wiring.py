"""The gateway, put together: the only file that names its concrete parts side by side."""

import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from starlette.types import ASGIApp

from app.gateway.application import make_application
from app.gateway.auth import AccessRules, Doorkeeper
from app.gateway.catalog import Catalog
from app.gateway.doors import Doors
from app.gateway.endpoints import ListDesk, ListEndpoints
from app.gateway.events import EventLimits, Outbound
from app.gateway.following import CLIENT_ID, Follower, FollowState, Keeper, Source
from app.gateway.health import Health
from app.gateway.insights import Insights, InsightsDesk
from app.gateway.intake import Intake, IntakeDesk
from app.gateway.interests import ROLE as INTERESTS_ROLE
from app.gateway.interests import InterestsKeeper, InterestsParts, remove_interests
from app.gateway.items import ItemEndpoints
from app.gateway.keepers import CATALOG_ROLE, CatalogKeeper
from app.gateway.pipeline import Pipeline
from app.gateway.posting import Posting, PostingLimits
from app.gateway.response import StreamTerms
from app.gateway.routes import Desks, routes_of
from app.gateway.shelf import ROLE as LISTS_ROLE
from app.gateway.shelf import Shelf, ShelfParts
from app.gateway.streams import Listeners
from app.gateway.upkeep import flush_for_ever, tick
from app.kafka.access import KafkaAccess
from app.kafka.publisher import connected_producer
from app.kafka.topic_ids import topic_ids
from app.kafka.topics import Topics, TopicSpec
from app.observability import Metrics
from app.settings import Settings, listed

_MS_PER_S: Final = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class Installation:
    """What one gateway is made for.

    Args:
        settings: all of them.
        rules: who may come in, checked.
        access: to Kafka.
        topics: their names.
        topic_ids: Kafka's ids of them, by name.
        state_dir: claimed.
        followed: the state of every topic that is followed, by role.
    """

    settings: Settings
    rules: AccessRules
    access: KafkaAccess
    topics: Topics
    topic_ids: Mapping[str, str]
    state_dir: Path
    followed: Mapping[str, FollowState]


@dataclass(frozen=True, slots=True, eq=False)
class Gateway:
    """A wired gateway: what is served, what runs beside it for ever, and who is told when it ends."""

    app: ASGIApp
    beside: Sequence[Callable[[], Awaitable[None]]]
    listeners: Sequence[Listeners]


def followed_topics(settings: Settings, topics: Topics) -> dict[str, TopicSpec]:
    """The topics that a gateway reads, by role."""
    always = {LISTS_ROLE: topics.recommendations, CATALOG_ROLE: topics.catalog}
    return always | ({INTERESTS_ROLE: topics.interests_changelog} if settings.gateway.keep_interests else {})


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """What endpoints and upkeep share; None where the settings leave it out."""

    listeners: Listeners
    viewers: Listeners
    catalog: Catalog
    shelf: Shelf
    interests: InterestsKeeper | None
    posting: Posting
    pipeline: Pipeline | None


async def wire(installation: Installation, metrics: Metrics, health: Health, stack: AsyncExitStack) -> Gateway:
    """Put it together; must run on the event loop that it will live on. What has to be closed is put on the stack.

    Raises:
        KafkaUnreachable: no broker answers.
    """
    gateway = installation.settings.gateway
    listeners, viewers = Listeners(), Listeners()
    catalog = Catalog()
    shelf = _shelf(installation, catalog, listeners, metrics)
    stack.callback(shelf.close)
    interests = _interests(installation, metrics)
    if interests is not None:
        stack.callback(interests.close)
    timeout_ms = installation.settings.kafka.request_timeout_ms
    producer = await connected_producer(installation.access, CLIENT_ID, timeout_ms)
    stack.push_async_callback(producer.stop)
    addresses = listed(gateway.scrape)
    parts = _Parts(
        listeners=listeners,
        viewers=viewers,
        catalog=catalog,
        shelf=shelf,
        interests=interests,
        posting=_posting(installation, producer),
        pipeline=Pipeline(addresses, viewers, lambda: len(listeners), _clock_ms) if addresses else None,
    )
    app = make_application(
        routes_of(_desks(installation, parts, metrics, health)),
        metrics,
        allowed_origins=listed(gateway.allowed_origins),
        log_access=gateway.access_log,
    )
    return Gateway(app, _beside(installation, parts, metrics, health), (listeners, viewers))


def _desks(installation: Installation, parts: _Parts, metrics: Metrics, health: Health) -> Desks:
    gateway = installation.settings.gateway
    doors = Doors(Doorkeeper(installation.rules, time.time), health)
    lists, figures = (StreamTerms(each, gateway.slow_client_s, metrics) for each in (parts.listeners, parts.viewers))
    return Desks(
        intake=Intake(_intake_desk(installation, doors.doorkeeper, parts.posting, metrics)),
        lists=ListEndpoints(ListDesk(doors, parts.shelf, lists, gateway.max_streams)),
        items=ItemEndpoints(doors, parts.catalog),
        insights=Insights(InsightsDesk(doors, parts.interests, parts.pipeline, figures, gateway.max_streams)),
    )


def _beside(
    installation: Installation, parts: _Parts, metrics: Metrics, health: Health
) -> list[Callable[[], Awaitable[None]]]:
    """What runs for as long as the gateway does."""
    keepers: dict[str, Keeper] = {LISTS_ROLE: parts.shelf, CATALOG_ROLE: CatalogKeeper(parts.catalog, metrics)}
    replicas: dict[str, Shelf | InterestsKeeper] = {LISTS_ROLE: parts.shelf}
    if parts.interests is not None:
        keepers[INTERESTS_ROLE] = replicas[INTERESTS_ROLE] = parts.interests
    topics = followed_topics(installation.settings, installation.topics)
    beside: list[Callable[[], Awaitable[None]]] = [
        *(_follower(installation, topics[role], keeper, role).run for role, keeper in keepers.items()),
        partial(tick, installation.followed, (parts.listeners, parts.viewers), parts.posting, metrics, health),
        partial(flush_for_ever, replicas, installation.followed, _clock_ms),
    ]
    return beside if parts.pipeline is None else [*beside, parts.pipeline.run]


def _shelf(installation: Installation, catalog: Catalog, listeners: Listeners, metrics: Metrics) -> Shelf:
    parts = ShelfParts(
        state_dir=installation.state_dir,
        write_buffer_mb=installation.settings.gateway.write_buffer_mb,
        catalog=catalog,
        listeners=listeners,
        metrics=metrics,
        clock_ms=_clock_ms,
    )
    return Shelf(parts, installation.topic_ids[installation.topics.recommendations.name])


def _interests(installation: Installation, metrics: Metrics) -> InterestsKeeper | None:
    gateway = installation.settings.gateway
    if not gateway.keep_interests:
        remove_interests(installation.state_dir)
        return None
    parts = InterestsParts(installation.state_dir, gateway.write_buffer_mb, metrics, _clock_ms)
    return InterestsKeeper(parts, installation.topic_ids[installation.topics.interests_changelog.name])


def _posting(installation: Installation, producer: AIOKafkaProducer) -> Posting:
    gateway, topic = installation.settings.gateway, installation.topics.events.name

    async def send(event: Outbound) -> Any:
        return await producer.send(topic, event.value, key=event.user_id.encode())

    return Posting(send, PostingLimits(gateway.max_in_flight_events, gateway.ack_timeout_s))


def _intake_desk(installation: Installation, doorkeeper: Doorkeeper, posting: Posting, metrics: Metrics) -> IntakeDesk:
    agents = installation.settings.agents
    return IntakeDesk(
        doorkeeper=doorkeeper,
        posting=posting,
        limits=EventLimits(agents.max_event_bytes, agents.max_future_s * _MS_PER_S),
        max_body_bytes=installation.settings.gateway.max_body_bytes,
        clock_ms=_clock_ms,
        new_id=lambda: uuid.uuid4().hex,
        metrics=metrics,
    )


def _follower(installation: Installation, topic: TopicSpec, keeper: Keeper, role: str) -> Follower:
    source = Source(
        installation.access,
        topic,
        installation.settings.kafka.request_timeout_ms,
        lambda: topic_ids(installation.access, [topic.name])[topic.name],
        at_once=role != INTERESTS_ROLE,
    )
    return Follower(source, keeper, installation.topic_ids[topic.name], installation.followed[role])


def _clock_ms() -> int:
    return time.time_ns() // 1_000_000
