"""The newest lists of every user: kept on the disk, shown to who asks, told to who waits."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec import Raw

from app.contracts.recommendations import NEWCOMER_ID
from app.gateway import metrics as table
from app.gateway.catalog import Catalog
from app.gateway.lists import ListView, Message, decode_message, encode_view, version_of, view_of
from app.gateway.recent import RecentUser, RecentUsers
from app.gateway.replica import Replica, Row, TopicRecord, folder_of
from app.gateway.sse import forgotten_message, list_message
from app.gateway.streams import Change, Listeners, Wanted
from app.observability import Metrics

ROLE: Final = "recommendations"
_RECENT_USERS: Final = 1_000
_RECENT_NOTE: Final = "recent-users"
_NOTE_EVERY_S: Final = 10.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class ShelfParts:
    """What the shelf works with; `clock_ms` is ms since 1970."""

    state_dir: Path
    write_buffer_mb: int
    catalog: Catalog
    listeners: Listeners
    metrics: Metrics
    clock_ms: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Awaited:
    """An event that a list should know of: its id, and where it lies in its partition of `events`."""

    event_id: str
    offset: int


class Shelf:
    """See the module. `topic_id` is Kafka's id of the topic that the lists are of."""

    def __init__(self, parts: ShelfParts, topic_id: str) -> None:
        self._parts = parts
        self._since_ms = parts.clock_ms()  # events of before are read again, or were waiting: this gateway was not late
        self._replica = self._open(topic_id)
        self.recent_users = RecentUsers(_RECENT_USERS)
        self.recent_users.restore(self._replica.note(_RECENT_NOTE))
        self._note_at_s = 0.0
        some = self._replica.any_row()
        self._surfaces = _surfaces(None if some is None else decode_message(some.value))

    @property
    def surfaces(self) -> Sequence[str]:
        """The names of the lists there are, as far as any list was seen."""
        return self._surfaces

    def offsets(self) -> Mapping[int, int]:
        """Where to go on, by partition."""
        return self._replica.offsets()

    def take(self, polled: Mapping[int, Sequence[TopicRecord]]) -> None:
        """Keep what a poll brought, and tell those who wait."""
        metrics, now_ms = self._parts.metrics, self._parts.clock_ms()
        taken = self._replica.take(polled, now_ms)
        metrics.counter(table.LISTS).inc(len(taken.changed))
        metrics.counter(table.LISTS_STALE).inc(taken.stale)
        metrics.counter(table.UNREADABLE, ROLE).inc(taken.unreadable)
        for user_id, row in taken.changed.items():
            self._changed(user_id, row, now_ms)
        if time.monotonic() >= self._note_at_s:
            self._replica.write_note(_RECENT_NOTE, self.recent_users.to_bytes())
            self._note_at_s = time.monotonic() + _NOTE_EVERY_S

    def start_over(self, topic_id: str) -> None:
        """Forget everything; whoever waits is told to come again."""
        self._replica.close()
        self._replica = self._open(topic_id)
        self._since_ms = self._parts.clock_ms()
        self._replica.start_over(self._since_ms)
        self.recent_users.clear()
        self._parts.listeners.restart()

    def row(self, user_id: str) -> Row | None:
        """The user's newest lists."""
        return self._replica.get(user_id)

    def view(self, user_id: str, wanted: Wanted, row: Row | None) -> ListView | Mapping[str, Raw]:
        """A list as a frontend gets it: the user's, or the newcomers' where `row` is None.

        Returns:
            The view, or the lists that there are where there is none of this name.
        """
        known = row is not None
        shown = row or self._replica.get(NEWCOMER_ID)
        item_of = self._parts.catalog.shown if wanted.expanded else None
        return view_of(user_id, wanted.surface, shown, known=known, item_of=item_of)

    def change(self, user_id: str, row: Row | None) -> Change:
        """The change that those who wait for this user are told of."""
        return Change(row, lambda change, wanted: self._message(user_id, change, wanted))

    def reflects(self, event: Awaited, row: Row | None) -> bool:
        """Whether the lists in this row know of the event."""
        if row is None:
            return False
        if row.version >= event.offset:
            return True
        # The offset is not told; or the event was sent again after a 503, and the copy before this one counted.
        message = decode_message(row.value)
        return message is not None and message.cause.event_id == event.event_id

    def flush(self, read_until_ms: int | None) -> None:
        """Bring everything to the disk; see `Replica.flush`."""
        self._replica.flush(read_until_ms)

    def close(self) -> None:
        """Keep everything for the next start."""
        self._replica.write_note(_RECENT_NOTE, self.recent_users.to_bytes())
        self._replica.close()

    def _open(self, topic_id: str) -> Replica:
        folder = folder_of(self._parts.state_dir, ROLE, topic_id)
        return Replica(folder, self._parts.write_buffer_mb, version_of, self._parts.clock_ms())

    def _changed(self, user_id: str, row: Row | None, now_ms: int) -> None:
        if row is None:
            self.recent_users.forgotten(user_id)
        else:
            message = decode_message(row.value)
            if message is not None:
                self._observe(user_id, message, now_ms)
        self._parts.listeners.tell(user_id, self.change(user_id, row))

    def _observe(self, user_id: str, message: Message, now_ms: int) -> None:
        self._surfaces = _surfaces(message)
        if user_id != NEWCOMER_ID:
            self.recent_users.changed(RecentUser(user_id, message.state_version, message.generated_ts_ms))
            if message.cause.received_ts_ms >= self._since_ms:
                age_s = max(0, now_ms - message.cause.received_ts_ms) / 1_000
                self._parts.metrics.histogram(table.EVENT_TO_GATEWAY).observe(age_s)

    def _message(self, user_id: str, change: Change, wanted: Wanted) -> bytes | None:
        if change.row is None:
            return forgotten_message(user_id)
        view = self.view(user_id, wanted, change.row)
        return list_message(view.state_version, encode_view(view)) if isinstance(view, ListView) else None


def _surfaces(message: Message | None) -> Sequence[str]:
    return () if message is None else tuple(message.lists)
