"""One version at work: its own tails of the catalog and of the events, its own threads, its own end.

A version may be gigabytes, so nothing of it holds itself: it is freed with its last reader. Kafka's client leaves what
it had fetched in cycles, and the collector by itself would take hours to look for them (app.interpreter).

As long as it is unseen, what it reads is counted nowhere: the version that serves counts the same. The first version is
never unseen.
"""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Iterable
from concurrent.futures import Executor
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final

from app.kafka.tail import open_tail
from app.observability import Metrics
from model_server import metrics as table
from model_server.background import background_thread
from model_server.drift.live import WATCHED
from model_server.installation import Installation
from model_server.items.follower import follow_catalog
from model_server.items.shelf import Shelf
from model_server.popularity.follower import follow_events
from model_server.registry.version import ModelVersion
from model_server.swap.assembly import Assembly, assemble, warm_up
from model_server.swap.tally import Tally
from model_server.swap.watched import promise
from model_server.worker import Scoring

_CLIENT: Final = "riverrun-model-server-tail"
_GATHERED_EVENT_BYTES: Final = 65_536
_OF_A_VERSION: Final = (table.LIVE_EVENTS, table.LIVE_HITS, table.VALIDATION_HR10)


class Running:
    """A version whose tasks run.

    Args:
        assembly: the version.
        installation: what it serves.
        metrics: the process's.
        unseen: the version's own, in which it counts; they become the process's while it serves.
        redoing: where its ranker's tables are redone.
    """

    def __init__(
        self, assembly: Assembly, installation: Installation, metrics: Metrics, unseen: Metrics, redoing: Executor
    ) -> None:
        self._redoing = redoing
        self.assembly = assembly
        self.catalog_read = asyncio.Event()
        self.counted = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []
        self._nowhere = Metrics(table.TABLE)
        self.unseen = unseen
        self.unseen.become(self._nowhere)
        self._device = str(installation.device)
        self._metrics = metrics
        self._hidden = False

    @property
    def scoring(self) -> Scoring:
        """For the worker."""
        return self.assembly.scoring

    @property
    def tally(self) -> Tally:
        """What became of its lists."""
        return self.assembly.tally

    @property
    def name(self) -> str:
        """Of the version."""
        return self.assembly.version.name

    async def prepare(self, thread: Executor, *, counted: bool) -> None:
        """Return when it can serve: its catalog is read and it is warm.

        Args:
            thread: warms it up.
            counted: its counts must have caught up, too.

        Raises:
            ModelVersionError: it makes no lists.
            Exception: what ended one of the version's tasks.
        """
        if not counted:  # nobody serves yet, so nobody else counts what it reads
            self.unseen.become(self._metrics)
        await self._until(self.catalog_read, *((self.counted,) if counted else ()))
        loop, live = asyncio.get_running_loop(), self.assembly.live
        if live is not None:  # the first lists know what is promoted
            await loop.run_in_executor(self._redoing, live.redo, _clock_ms())
        await loop.run_in_executor(thread, warm_up, self.assembly)
        self._check()  # what failed meanwhile must not take over

    async def _until(self, *events: asyncio.Event) -> None:
        there = asyncio.get_running_loop().create_task(_all(events))
        try:
            await asyncio.wait({there, *self.tasks}, return_when=asyncio.FIRST_COMPLETED)
            self._check()
        finally:
            there.cancel()

    async def over(self) -> None:
        """Wait until one of the version's tasks has ended, which none does by itself.

        Raises:
            Exception: what ended it.
        """
        await asyncio.wait(self.tasks, return_when=asyncio.FIRST_COMPLETED)
        self._check()

    def show(self) -> None:
        """It serves from now on: its metrics are the process's."""
        self.unseen.become(self._metrics)
        self._metrics.gauge(table.MODEL_INFO, self.name, self._device).set(1)
        promise(self._metrics, self.assembly.version)

    def hide(self) -> None:
        """It serves no longer, or never did: what was said of this version is no longer said."""
        if self._hidden:
            return
        self._hidden = True
        self.unseen.become(self._nowhere)
        self._metrics.forget(table.MODEL_INFO, self.name, self._device)
        for spec in _OF_A_VERSION:
            self._metrics.forget(spec, self.name)
        for what in WATCHED:
            self._metrics.forget(table.DRIFT_PSI, self.name, what)

    def _check(self) -> None:
        for task in self.tasks:
            if task.done():
                task.result()


@asynccontextmanager
async def running(
    version: ModelVersion, thread: Executor, installation: Installation, metrics: Metrics
) -> AsyncIterator[Running]:
    """Start a version; with the block its tasks end.

    Raises:
        KafkaUnreachable: no broker answers.
    """
    access, timeout_ms = installation.access, installation.settings.kafka.request_timeout_ms
    tail = partial(open_tail, access, request_timeout_ms=timeout_ms, client_id=_CLIENT)
    topics, loop = installation.topics, asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        stack.callback(gc.collect)
        redoing = background_thread("ranking-tables")
        stack.callback(redoing.shutdown, wait=False, cancel_futures=True)
        unseen = Metrics(table.TABLE)
        assembly = await loop.run_in_executor(thread, assemble, version, installation, unseen, redoing)
        catalog = await stack.enter_async_context(tail(topics.catalog))
        events = await stack.enter_async_context(tail(topics.events, gather_bytes=_GATHERED_EVENT_BYTES))
        encoder = await loop.run_in_executor(thread, installation.encoder_of, version.model.tuned)
        shelf = stack.enter_context(Shelf(assembly.index, encoder))
        one = Running(assembly, installation, metrics, unseen, redoing)
        stack.callback(one.hide)
        stack.push_async_callback(_end, one.tasks)
        one.tasks += [
            loop.create_task(
                follow_catalog(catalog, shelf, assembly.index, one.catalog_read, one.unseen), name="catalog"
            ),
            loop.create_task(shelf.encode_forever(), name="texts"),
            loop.create_task(
                follow_events(events, assembly.counting, _clock_ms, one.unseen, one.counted), name="events"
            ),
        ]
        del catalog, events  # the tasks have them: what is left of them is collected at the end
        yield one


def _clock_ms() -> int:
    return time.time_ns() // 1_000_000


async def _all(events: Iterable[asyncio.Event]) -> None:
    for event in events:
        await event.wait()


async def _end(tasks: "list[asyncio.Task[None]]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
