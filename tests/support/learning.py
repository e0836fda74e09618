"""A log of events for the learner, and what its store holds of it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from app.contracts.events import Event, Forget, HandOver, View
from app.interests.intake import ReceivedEvent
from model_server.learning.store import Bounds, EventStore

PLENTY = Bounds(events=1_000_000, age_days=10_000, erase_within_s=600)
NOW_MS = 1_790_000_000_000


def view(user: str, item: str, event_id: str, ts_ms: int = NOW_MS) -> View:
    """Somebody saw something."""
    return View(event_id=event_id, user_id=user, item_id=item, ts_ms=ts_ms)


def forget(user: str) -> Forget:
    """Somebody is to be forgotten."""
    return Forget(event_id=f"forget-{user}", user_id=user, ts_ms=NOW_MS)


def hand_over(anonymous: str, heir: str) -> HandOver:
    """Somebody logged in."""
    return HandOver(event_id=f"hand-over-{anonymous}", user_id=anonymous, ts_ms=NOW_MS, heir_id=heir)


@dataclass
class Log:
    """A partition of `events`, and a store that follows it."""

    store: EventStore
    partition: int = 0
    written: list[Event] = field(default_factory=list)

    def happen(self, *events: Event, publish: bool = True) -> None:
        """These come, and are published."""
        offset = len(self.written)
        self.written += events
        received = [ReceivedEvent(event, offset + place, NOW_MS) for place, event in enumerate(events)]
        self.store.take(self.partition, received, offset + len(events), NOW_MS)
        if publish:
            self.store.publish(NOW_MS)


def rows_of(store: EventStore, until: int = 1 << 40) -> list[tuple[str, str]]:
    """(user, item) of every row, in their order."""
    return [pair for table in store.read(until) for pair in _pairs(table)]


def on_disk(folder: Path) -> bytes:
    """Every byte of the store."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def _pairs(table: pa.Table) -> Iterator[tuple[str, str]]:
    columns: Iterable[Sequence[str]] = (table["user"].to_pylist(), table["item"].to_pylist())
    yield from zip(*columns, strict=True)


@dataclass(frozen=True)
class CatalogLine:
    """A record of `catalog` as the clients hand it over."""

    key: bytes | None
    value: bytes | None
