"""Whose lists changed in the last minutes, bounded. Pure."""

from collections.abc import Iterable
from heapq import nlargest

import msgspec
from msgspec import Struct


class RecentUser(Struct, frozen=True, array_like=True):
    """A user whose lists changed."""

    user_id: str
    state_version: int
    generated_ts_ms: int


_decoder = msgspec.msgpack.Decoder(list[RecentUser])


class RecentUsers:
    """The users whose lists were made most recently, in whatever order they come: a topic read anew is in none."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._users: dict[str, RecentUser] = {}

    def changed(self, user: RecentUser) -> None:
        """The user has new lists."""
        self._users.pop(user.user_id, None)
        self._users[user.user_id] = user
        if len(self._users) >= 2 * self._capacity:  # not each time: to find the oldest one takes a look at all
            self._users = {user.user_id: user for user in reversed(self.newest(self._capacity))}

    def forgotten(self, user_id: str) -> None:
        """The user was erased."""
        self._users.pop(user_id, None)

    def newest(self, limit: int) -> list[RecentUser]:
        """The newest first, of equally new ones the one that came last."""
        came_last_first = reversed(self._users.values())
        return nlargest(min(limit, self._capacity), came_last_first, key=lambda user: user.generated_ts_ms)

    def clear(self) -> None:
        """Nothing is known any more."""
        self._users.clear()

    def to_bytes(self) -> bytes:
        """All of them, to be kept."""
        return msgspec.msgpack.encode(self.newest(self._capacity)[::-1])

    def restore(self, kept: bytes | None) -> None:
        """What `to_bytes` gave before a restart."""
        users: Iterable[RecentUser] = _decoder.decode(kept) if kept else ()
        for user in users:
            self.changed(user)
