"""What the gateway remembers of the last minutes, bounded: where events went, and whose lists changed. Pure."""

from collections import OrderedDict
from collections.abc import Iterable

import msgspec
from msgspec import Struct


class RecentEvents:
    """The offsets of the newest events that this gateway took in, by user and event id."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._offsets: OrderedDict[tuple[str, str], int] = OrderedDict()

    def remember(self, user_id: str, event_id: str, offset: int) -> None:
        """Kafka has the event, at this offset of its partition. An event sent twice: the first offset stays."""
        self._offsets.setdefault((user_id, event_id), offset)
        if len(self._offsets) > self._capacity:
            self._offsets.popitem(last=False)

    def offset(self, user_id: str, event_id: str) -> int | None:
        """Where the event lies; None: it came another way, or too long ago."""
        return self._offsets.get((user_id, event_id))

    def clear(self) -> None:
        """The topic was made anew: its offsets mean nothing now."""
        self._offsets.clear()


class RecentUser(Struct, frozen=True, array_like=True):
    """A user whose lists changed."""

    user_id: str
    state_version: int
    generated_ts_ms: int


_decoder = msgspec.msgpack.Decoder(list[RecentUser])


class RecentUsers:
    """The users whose lists changed most recently."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._users: OrderedDict[str, RecentUser] = OrderedDict()

    def changed(self, user: RecentUser) -> None:
        """The user has new lists."""
        self._users[user.user_id] = user
        self._users.move_to_end(user.user_id)
        if len(self._users) > self._capacity:
            self._users.popitem(last=False)

    def forgotten(self, user_id: str) -> None:
        """The user was erased."""
        self._users.pop(user_id, None)

    def newest(self, limit: int) -> list[RecentUser]:
        """The newest first."""
        newest_first = reversed(self._users.values())
        return [user for user, _ in zip(newest_first, range(limit), strict=False)]

    def clear(self) -> None:
        """Nothing is known any more."""
        self._users.clear()

    def to_bytes(self) -> bytes:
        """All of them, to be kept."""
        return msgspec.msgpack.encode(list(self._users.values()))

    def restore(self, kept: bytes | None) -> None:
        """What `to_bytes` gave before a restart."""
        users: Iterable[RecentUser] = _decoder.decode(kept) if kept else ()
        for user in users:
            self.changed(user)
