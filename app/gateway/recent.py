"""Whose lists changed in the last minutes, bounded. Pure."""

from collections import OrderedDict
from collections.abc import Iterable

import msgspec
from msgspec import Struct


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
