"""STREAM through the real pipeline: Kafka, stream agents and a model server, started as an operator starts them.

The events before a version's cut are the past. Then every event is held against the newest list that its user had been
sent, and goes out when that list knows of the user's event before it: so a list is made at the moment of its user's
newest event, as everywhere in STREAM. What others do reaches the counts whenever it does.

The contestants are the same version with other weights of the blend, each served by processes of its own, on topics of
its own, with the same events: what is compared is what is blended, and nothing else.
"""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from secrets import token_hex
from types import MappingProxyType
from typing import Final

import numpy as np
from aiokafka import AIOKafkaConsumer
from numpy.typing import NDArray

from app.contracts.events import Event
from app.contracts.recommendations import NEWCOMER_ID, Recommendations, decode_recommendations
from app.data.interactions import Dataset
from app.demo.pipeline import Pipeline
from app.errors import ProcessFailed
from app.kafka.resolver import ResolvedKafka, resolve_kafka
from app.kafka.tail import open_tail
from app.kafka.topic_admin import apply_topics, delete_topics
from app.kafka.topics import Topics, load_topics
from app.processes.service import Launch, free_port
from app.replay import events_of, paced, publish_catalog, publish_events, replay_producer
from app.settings import Settings
from model_server.hybrid.blend import NETWORK_ALONE, BlendWeights
from model_server.judging.bootstrap import Interval, bootstrap
from model_server.judging.metrics import CUTOFF
from model_server.registry.save import save_version
from model_server.registry.version import ModelVersion

SURFACE: Final = "home"
CONTESTANTS: Final[Mapping[str, BlendWeights | None]] = MappingProxyType(
    {"riverrun": None, "network": NETWORK_ALONE, "covisitation": BlendWeights(model=0.0, covisitation=1.0)}
)
"""Name -> weights; None: those of the version. The network alone is a frozen model with live state."""

_READY_S: Final = 120.0
_PAST_S: Final = 300.0
_LIST_S: Final = 10.0
_POLL_MS: Final = 50


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """How one contestant did, event by event: (E,) whether it was among the first ten, and its gain there."""

    hits: NDArray[np.float64]
    gains: NDArray[np.float64]

    @property
    def hr10(self) -> float:
        """To four decimals."""
        return round(float(self.hits.mean()), 4)

    @property
    def ndcg10(self) -> float:
        """To four decimals."""
        return round(float(self.gains.mean()), 4)


@dataclass(frozen=True, slots=True)
class Difference:
    """`riverrun` less another contestant."""

    hr10: Interval
    ndcg10: Interval


@dataclass(slots=True)
class _Page:
    """What the shop's visitors have before them."""

    newest: dict[str, Recommendations] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self, consumer: AIOKafkaConsumer) -> None:
        """Take in lists, for ever."""
        while True:
            polled = await consumer.getmany(timeout_ms=_POLL_MS)
            for records in polled.values():
                for record in records:
                    lists = None if record.value is None else decode_recommendations(record.value)
                    before = None if lists is None else self.newest.get(lists.user_id)
                    if lists is not None and (before is None or before.state_version <= lists.state_version):
                        self.newest[lists.user_id] = lists
            if polled:
                self.changed.set()

    async def until_caused_by(self, newest_events: Mapping[str, str], timeout_s: float) -> None:
        """Wait until these users' newest lists were caused by these events.

        Raises:
            ProcessFailed: they were not, within the time.
        """
        deadline = time.monotonic() + timeout_s
        missing = dict(newest_events)
        while missing:
            self.changed.clear()
            missing = {user: event for user, event in missing.items() if self._cause(user) != event}
            if missing and time.monotonic() > deadline:
                raise ProcessFailed(f"{len(missing)} users wait for their list since {timeout_s:.0f} s.")
            if missing:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.changed.wait(), 1.0)

    def shown(self, user_id: str) -> list[str]:
        """The user's list; that of newcomers for who has none."""
        lists = self.newest.get(user_id) or self.newest.get(NEWCOMER_ID)
        return [] if lists is None else [place.item_id for place in lists.lists[SURFACE]]

    def _cause(self, user_id: str) -> str:
        lists = self.newest.get(user_id)
        return "" if lists is None else lists.cause.event_id


def serve_and_judge(
    dataset: Dataset, version: ModelVersion, weights: BlendWeights | None, events: int, settings: Settings, folder: Path
) -> Served:
    """Serve the version with these weights, send it the past and then `events` more, each judged before it goes out.

    Args:
        dataset: the one that the version was trained on.
        version: its training part is the past.
        weights: of the blend; None: the version's.
        events: how many are judged.
        settings: where Kafka is, and everything that the processes need.
        folder: for the version as it is served.

    Raises:
        RiverrunError: Kafka cannot be had, a process failed, or a list did not come.
    """
    hybrid = version.model.hybrid if weights is None else replace(version.model.hybrid, weights=weights)
    served = save_version(folder, replace(version.model, hybrid=hybrid), time.time_ns() // 1_000_000)
    with resolve_kafka(settings, lambda _: None) as kafka:
        prefix = f"evaluate-{token_hex(3)}-"
        topics = load_topics().with_prefix(prefix)
        apply_topics(kafka.access, topics)
        try:
            with Pipeline(_agents(kafka, prefix), _model_server(kafka, prefix, served)) as pipeline:
                pending = _judge(dataset, version.model.data.events, events, (kafka, topics), pipeline)
                return asyncio.run(pending)
        finally:
            delete_topics(kafka.access, topics)


def differences(served: Mapping[str, Served], users: NDArray[np.int64], seed: int) -> dict[str, Difference]:
    """`riverrun` less each of the others, paired by event, intervals by the bootstrap over users."""
    own = served["riverrun"]
    found = {}
    for name, other in served.items():
        if name != "riverrun":
            columns = np.stack([own.hits - other.hits, own.gains - other.gains], axis=1)
            found[name] = Difference(*bootstrap(users, columns, seed))
    return found


async def _judge(
    dataset: Dataset, cut: int, events: int, where: tuple[ResolvedKafka, Topics], pipeline: Pipeline
) -> Served:
    (kafka, topics), page = where, _Page()
    access = kafka.access
    async with (
        replay_producer(access) as producer,
        open_tail(access, topics.recommendations, 30_000, client_id="riverrun-evaluate") as consumer,
    ):
        reading = asyncio.create_task(page.read(consumer))
        await publish_catalog(producer, topics.catalog.name, dataset.catalog)
        await asyncio.to_thread(pipeline.wait_ready, _READY_S)
        newest: dict[str, str] = {}

        def sent(event: Event) -> None:
            newest[event.user_id] = event.event_id

        past = paced(events_of(dataset, 0, cut), 0.0)
        await publish_events(producer, topics.events.name, past, sent, _nothing)
        await page.until_caused_by(newest, _PAST_S)
        ranks = []
        for event in events_of(dataset, cut, min(cut + events, len(dataset.interactions))):
            before = newest.get(event.user_id)
            if before is not None:
                await page.until_caused_by({event.user_id: before}, _LIST_S)
            shown, item_id = page.shown(event.user_id)[:CUTOFF], getattr(event, "item_id", "")
            ranks.append(shown.index(item_id) + 1 if item_id in shown else np.inf)
            await publish_events(producer, topics.events.name, paced([event], 0.0), sent, _nothing)
        pipeline.check()
        reading.cancel()
    found = np.array(ranks)
    return Served(np.isfinite(found).astype(np.float64), np.where(np.isfinite(found), 1 / np.log2(found + 1), 0.0))


def _nothing(_event: Event, _offset: int, _sent_s: float) -> None:
    """Freshness is measured elsewhere."""


def _agents(kafka: ResolvedKafka, prefix: str) -> Launch:
    port = free_port()
    options = ("--topic-prefix", prefix, "--metrics-port", str(port))
    return Launch("agents", lambda own: ("--state-dir", str(own / "state"), *options), kafka.access.environment(), port)


def _model_server(kafka: ResolvedKafka, prefix: str, version: Path) -> Launch:
    port = free_port()
    options = ("--topic-prefix", prefix, "--metrics-port", str(port))
    model = ("--models-dir", str(version.parent), "--version", version.name)
    return Launch("score", lambda _own: (*model, *options), kafka.access.environment(), port)
