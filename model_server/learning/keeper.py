"""The event store behind one thread: whoever reads or writes it waits there, not on the event loop."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import TypeVar

from app.interests.intake import IntakeLimits, Refusal, SourceRecord, take_in
from app.observability import Metrics
from model_server.learning import metrics as table
from model_server.learning.catalog import KeptCatalog
from model_server.learning.snapshot import Extent, write_snapshot
from model_server.learning.store import EventStore

T = TypeVar("T")


class Keeper:
    """See the module.

    Args:
        store: used nowhere else.
        catalog: goes into snapshots.
        limits: what a valid event is.
        thread: exactly one.
        clock_ms: wall clock, ms since 1970.
        metrics: the process's.
    """

    def __init__(
        self,
        store: EventStore,
        catalog: KeptCatalog,
        limits: IntakeLimits,
        thread: Executor,
        clock_ms: Callable[[], int],
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._limits = limits
        self._thread = thread
        self._clock_ms = clock_ms
        self._metrics = metrics
        self._published_ms = clock_ms()

    def taken(self) -> int:
        """Rows that were ever stored."""
        return self._store.manifest.taken

    async def take(self, partition: int, records: Sequence[SourceRecord]) -> None:
        """A partition's next records, at least one."""
        await self._there(partial(self._take, partition, records))

    async def publish_if_due(self, rows: int, after_ms: int) -> None:
        """Put on disk what was taken, when it is so many rows or was so long ago."""
        waited_ms = self._clock_ms() - self._published_ms
        if self._store.pending >= rows or waited_ms >= after_ms:
            self._published_ms = self._clock_ms()
            await self._there(partial(self._store.publish, self._clock_ms()))
            self._show()

    async def snapshot(self, folder: Path, extent: Extent) -> int:
        """As `write_snapshot`."""
        return await self._there(partial(write_snapshot, self._store, folder, self._catalog.items(), extent))

    def _take(self, partition: int, records: Sequence[SourceRecord]) -> None:
        refused: list[Refusal] = []
        events = take_in(records, self._limits, refused.append)
        rows = self._store.take(partition, events, records[-1].offset + 1, self._clock_ms())
        self._metrics.counter(table.TAKEN).inc(rows)
        self._metrics.counter(table.LEFT_OUT).inc(len(refused))

    def _show(self) -> None:
        self._metrics.gauge(table.ROWS).set(self._store.rows)
        self._metrics.gauge(table.BYTES).set(self._store.size_bytes)
        self._metrics.gauge(table.ERASURES).set(len(self._store.manifest.changes))

    async def _there(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
