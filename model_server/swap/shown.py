"""The lists that visitors saw last, and what each of them did next. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

from msgspec import Struct

from app.interests.columns import TIME_BYTES, last_time
from app.surfaces.touches import History
from model_server.model.sequences import NEGATIVE_KINDS


class NextEvent(NamedTuple):
    """The newest event since a list: whether its item was on it, and how long after the event behind the list."""

    hit: bool
    after_ms: int


class _Shown(Struct, frozen=True, gc=False):
    """The newest event behind a list, and the list."""

    item_id: str
    time: bytes
    list_ids: frozenset[str]


class ShownLists:
    """Remembers the lists of the users scored last.

    Args:
        max_users: who was scored longest ago is forgotten first; about half a kilobyte each.
    """

    def __init__(self, max_users: int = 50_000) -> None:
        self._max_users = max_users
        self._shown: dict[str, _Shown] = {}  # who was scored longest ago first

    def show(self, user_id: str, history: History, item_ids: Iterable[str]) -> NextEvent | None:
        """Remember this list; what its user did since the one before, None where there was none or nothing new.

        Turning an item down is nothing either: a list is not the better for what was on it and disliked.
        """
        if not history.item_ids:
            return None
        shown = _Shown(history.item_ids[-1], history.times[-TIME_BYTES:], frozenset(item_ids))
        before = self._shown.pop(user_id, None)
        if before is None and len(self._shown) >= self._max_users:
            del self._shown[next(iter(self._shown))]
        self._shown[user_id] = shown
        if before is None or (before.item_id, before.time) == (shown.item_id, shown.time):
            return None
        if history.kinds[-1] in NEGATIVE_KINDS:
            return None
        return NextEvent(shown.item_id in before.list_ids, last_time(shown.time) - last_time(before.time))
