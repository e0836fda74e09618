"""What a follower hands its records to, where that is not the shelf itself."""

from collections.abc import Mapping, Sequence
from typing import Final

from app.gateway import metrics as table
from app.gateway.catalog import Catalog
from app.gateway.replica import TopicRecord
from app.observability import Metrics

CATALOG_ROLE: Final = "catalog"


class CatalogKeeper:
    """Keeps the catalog in memory, and counts."""

    def __init__(self, catalog: Catalog, metrics: Metrics) -> None:
        self._catalog = catalog
        self._metrics = metrics

    def offsets(self) -> Mapping[int, int]:
        """Nothing is kept between starts."""
        return {}

    def take(self, polled: Mapping[int, Sequence[TopicRecord]]) -> None:
        """What a poll brought."""
        unreadable = self._catalog.take(record for records in polled.values() for record in records)
        self._metrics.counter(table.UNREADABLE, CATALOG_ROLE).inc(unreadable)
        self._metrics.gauge(table.CATALOG_ITEMS).set(len(self._catalog))

    def start_over(self, _topic_id: str) -> None:
        """Another topic, other items."""
        self._catalog.clear()
