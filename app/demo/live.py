"""The shop's side of a ready pipeline: the past at once, then the newest events as live traffic, each one judged."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from app.contracts.events import Event
from app.data.interactions import Dataset
from app.demo.frontend import Frontend
from app.demo.pipeline import Pipeline
from app.demo.report import DemoReport, freshness_of, quality_of
from app.demo.scorecard import TOP
from app.demo.shopfront import Shopfront
from app.demo.watch import Person, Watch, busiest_first
from app.errors import RiverrunError
from app.interests.popularity import DecayedCounts
from app.kafka.access import KafkaAccess
from app.kafka.topics import Topics
from app.replay import events_of, paced

_READY_TIMEOUT_S: Final = 120.0
_SETTLE_TIMEOUT_S: Final = 120.0
_COUNT_INTERVAL_S: Final = 0.5
_COUNT_TIMEOUT_S: Final = 10.0
_VISITORS_PER_PAGE: Final = 4  # of so many visitors one acts through the gateway, the others through Kafka

Screen = Callable[[Watch], AbstractContextManager[object]]
"""Shows a watch for the length of a `with` block."""


class DemoLost(RiverrunError):
    """The demo lost an event or a list: a bug, and never silent."""

    exit_code = 8


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """How many of the newest events to replay, and how fast (0: as fast as they go)."""

    events: int
    events_per_s: float


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that stands ready when the live part begins; `gateway_url` is empty where no gateway was wanted."""

    access: KafkaAccess
    topics: Topics
    pipeline: Pipeline
    dataset: Dataset
    model_version: str
    headline: str
    half_life_ms: float
    gateway_url: str = ""


@dataclass(frozen=True, slots=True)
class _Counts:
    accepted: int
    rejected: int
    lag: int

    @property
    def handled(self) -> int:
        """Events that the agents are done with."""
        return self.accepted + self.rejected


class LiveRun:
    """One live part, from a pipeline that starts to the report."""

    def __init__(self, stage: Stage, plan: DemoPlan, say: Callable[[str], None]) -> None:
        self._stage = stage
        self._plan = plan
        self._say = say
        self._seen: defaultdict[str, set[str]] = defaultdict(set)
        self._popularity = DecayedCounts(stage.half_life_ms)

    async def run(self, screen: Screen, started_s: float) -> DemoReport:
        """Run it; `started_s` (`time.monotonic()`) is when the whole demo began.

        Raises:
            DemoLost: somebody got no list for the past.
            RiverrunError: a process failed.
        """
        dataset, topics = self._stage.dataset, self._stage.topics
        stop = len(dataset.interactions)
        cut = stop - min(self._plan.events, stop)
        live = list(events_of(dataset, cut, stop))
        async with Shopfront(self._stage.access, topics.recommendations) as shop:
            await asyncio.to_thread(self._stage.pipeline.wait_ready, _READY_TIMEOUT_S)
            self._say(f"Everything is ready. The live page: {self._stage.gateway_url}")
            await self._backfill(shop, events_of(dataset, 0, cut))
            before = await self._accounted(cut, _Counts(0, 0, 0))
            titles = {item.item_id: item.title for item in dataset.catalog}
            visitors = busiest_first(live)
            watch = Watch(len(live), titles, shop.ledger, Person(visitors[0]), started_s=time.perf_counter())
            shop.on_list = watch.arrived
            async with Frontend(self._stage.gateway_url) as pages:
                await pages.open_streams(visitors[::_VISITORS_PER_PAGE])
                with screen(watch):
                    await self._live(shop, pages, watch, live, before)
            after = await self._accounted(len(live), before)
        return DemoReport(
            events=len(live),
            accepted=after.accepted - before.accepted,
            rejected=after.rejected - before.rejected,
            users_changed=len(shop.ledger.users()),
            recommendations=shop.ledger.lists_seen,
            lost=len(shop.ledger.owed()) + len(pages.ledger.owed()),
            freshness_ms=freshness_of(shop.ledger.freshness_s),
            browser_ms=freshness_of(pages.ledger.freshness_s),
            live=quality_of(watch.lists, watch.popularity),
            model_version=self._stage.model_version,
            seconds=round(time.monotonic() - started_s, 1),
        )

    async def _backfill(self, shop: Shopfront, history: Iterator[Event]) -> None:
        """Everything before the live part, at once: what a shop does on its first day with riverrun."""
        start_s = time.monotonic()
        await shop.visit(self._stage.topics.events.name, paced(history, 0), self._remember)
        settled = await shop.settled(_SETTLE_TIMEOUT_S)
        self._stage.pipeline.check()
        users = len(shop.ledger.users())
        if not settled:
            raise DemoLost(f"{len(shop.ledger.owed())} of {users} users got no list for their past.")
        self._say(f"The past of {users} users is in; all have lists ({time.monotonic() - start_s:.1f} s).")
        shop.ledger.start_counting()

    async def _live(self, shop: Shopfront, pages: Frontend, watch: Watch, live: list[Event], before: _Counts) -> None:
        counting = asyncio.create_task(self._keep_counting(watch, before))

        def acts(event: Event) -> bool:
            self._judge(watch, event)
            if event.user_id not in pages.watched:
                return False
            pages.post(event)
            return True

        try:
            traffic = paced(live, self._plan.events_per_s)
            await shop.visit(self._stage.topics.events.name, traffic, acts)
            # Whoever still waits for a list after this is counted as lost by the report.
            await shop.settled(_SETTLE_TIMEOUT_S)
            await pages.settled(_SETTLE_TIMEOUT_S)
        finally:
            counting.cancel()
            await asyncio.gather(counting, return_exceptions=True)
        self._stage.pipeline.check()

    def _judge(self, watch: Watch, event: Event) -> None:
        """Hold the event against what was on show, before it is sent."""
        item_id = _item_of(event)
        shown = watch.ledger.shown(event.user_id)
        hit = False
        if shown:
            seen = self._seen[event.user_id]
            popular = [item.item_id for item in self._popularity.top(TOP + len(seen)) if item.item_id not in seen]
            hit = watch.lists.judge(shown, item_id)
            watch.popularity.judge(popular, item_id)
        watch.sent += 1
        watch.did(event, hit)
        self._remember(event)

    def _remember(self, event: Event) -> None:
        item_id = _item_of(event)
        self._seen[event.user_id].add(item_id)
        self._popularity.add(item_id, event.ts_ms)

    async def _keep_counting(self, watch: Watch, before: _Counts) -> None:
        while True:
            now = await asyncio.to_thread(self._count)
            watch.accepted = now.accepted - before.accepted
            watch.rejected = now.rejected - before.rejected
            watch.lag = now.lag
            await asyncio.sleep(_COUNT_INTERVAL_S)

    async def _accounted(self, events: int, before: _Counts) -> _Counts:
        """The counts once so many more events are in them, or as they are after a while.

        The agents count a batch when it is safe in RocksDB too; its lists may reach the shop before that.
        """
        deadline = time.monotonic() + _COUNT_TIMEOUT_S
        while True:
            now = await asyncio.to_thread(self._count)
            if now.handled - before.handled >= events or time.monotonic() > deadline:
                return now
            await asyncio.sleep(_COUNT_INTERVAL_S / 10)

    def _count(self) -> _Counts:
        agents, model_server = self._stage.pipeline.agents.metrics(), self._stage.pipeline.model_server.metrics()
        return _Counts(
            accepted=int(agents.get("riverrun_events_accepted_total", 0)),
            rejected=int(agents.get("riverrun_dead_letters_total", 0)),
            lag=int(agents.get("riverrun_lag_events", 0) + model_server.get("riverrun_score_requests_lag", 0)),
        )


def _item_of(event: Event) -> str:
    """The event's item; a data set's events all have one."""
    item_id: str = event.item_id  # type: ignore[union-attr]  # Search, Identify and Forget are in no data set
    return item_id
