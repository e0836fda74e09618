"""Follows the catalog topic: everything in it first, then whatever comes. Never stopped by a bad message."""

import asyncio
import logging
import time
from typing import Final

from aiokafka import AIOKafkaConsumer

from app.observability import Metrics
from model_server import metrics as table
from model_server.items.index import ItemIndex
from model_server.items.intake import read_catalog
from model_server.items.shelf import Shelf

_POLL_MS: Final = 200
_FIRST_POLL_MS: Final = 20  # until the catalog is there: somebody waits for it
_MAX_RECORDS: Final = 500  # about 5 ms of decoding: a click does not wait longer than that for a catalogue
_SAY_EVERY_S: Final = 30.0

logger = logging.getLogger(__name__)


async def follow_catalog(
    consumer: AIOKafkaConsumer, shelf: Shelf, index: ItemIndex, ready: asyncio.Event, metrics: Metrics
) -> None:
    """Bring the catalog into the index, for ever; `ready` is set once all that there was at the start is searchable."""
    goal = await consumer.end_offsets(consumer.assignment())
    complaints = _Complaints()
    awaited: list[str] | None = None  # once all that there was is read: what of it is not searchable yet
    while True:
        poll_ms = _POLL_MS if ready.is_set() else _FIRST_POLL_MS
        polled = await consumer.getmany(timeout_ms=poll_ms, max_records=_MAX_RECORDS)
        for records in polled.values():
            news = read_catalog(records)
            metrics.counter(table.CATALOG_MESSAGES).inc(len(records))
            metrics.counter(table.CATALOG_INVALID).inc(len(news.invalid))
            complaints.hear(news.invalid)
            await shelf.stock(news)
        positions = {partition: await consumer.position(partition) for partition in goal}
        if awaited is None and all(positions[partition] >= end for partition, end in goal.items()):
            awaited = shelf.unencoded_ids()
        # News that comes meanwhile may have to wait for the encoder longer than anybody waits for this server.
        if awaited is not None and not ready.is_set() and not shelf.waits_for(awaited):
            await shelf.lend_again()  # what came before the items that it reads like
            ready.set()
            logger.info("The catalog is there: %d items can be recommended.", index.counts().sellable)
        behind = sum((consumer.highwater(partition) or 0) - position for partition, position in positions.items())
        metrics.gauge(table.CATALOG_LAG).set(max(0, behind))
        _count(index, shelf, metrics)
        await asyncio.sleep(0)


def _count(index: ItemIndex, shelf: Shelf, metrics: Metrics) -> None:
    counts = index.counts()
    metrics.gauge(table.CATALOG_ITEMS, "known").set(counts.known)
    metrics.gauge(table.CATALOG_ITEMS, "sellable").set(counts.sellable)
    metrics.gauge(table.CATALOG_ITEMS, "new").set(counts.new)
    metrics.gauge(table.CATALOG_ITEMS, "unencoded").set(shelf.unencoded)


class _Complaints:
    """Bad catalog messages, said once in a while."""

    def __init__(self) -> None:
        self._unsaid = 0
        self._next_s = 0.0

    def hear(self, reasons: list[str]) -> None:
        self._unsaid += len(reasons)
        if reasons and time.monotonic() >= self._next_s:
            logger.warning("%d catalog messages were no items, the newest because: %s", self._unsaid, reasons[-1])
            self._unsaid = 0
            self._next_s = time.monotonic() + _SAY_EVERY_S
