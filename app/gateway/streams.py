"""Who waits for a user's lists, and how they are told: the newest change only, however slow the listener is.

A change is an object that all listeners of a user share; its message is built once for each surface, when the first of
them asks. A listener holds at most one change: a newer one takes the place of one that it has not come to yet.
Knows no web framework.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from app.gateway.replica import Row

_BEATS: Final = 15


class Signal(Enum):
    """What a listener can be told besides changes."""

    BEAT = "beat"
    """Nothing happened; show that the connection lives."""
    END = "end"
    """It is over."""
    ANEW = "anew"
    """It is over, and what was told so far means nothing now."""


ENDS: Final = (Signal.END, Signal.ANEW)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a stream shows."""

    surface: str
    expanded: bool


class Change:
    """A user's lists changed: the new row, or None where the user was forgotten.

    Args:
        row: see above.
        render: makes the message of a surface; None where there is nothing to tell.
    """

    __slots__ = ("_made", "_render", "row")

    def __init__(self, row: Row | None, render: Callable[["Change", Wanted], bytes | None]) -> None:
        self.row = row
        self._render = render
        self._made: dict[Wanted, bytes | None] = {}

    def message(self, wanted: Wanted) -> bytes | None:
        """The message, made once."""
        if wanted not in self._made:
            self._made[wanted] = self._render(self, wanted)
        return self._made[wanted]


News = Change | Signal


class Listener:
    """One who waits for one user's lists. Use it inside `Listeners.listening`."""

    __slots__ = ("_news", "_waiter", "beat_turn")

    def __init__(self, beat_turn: int) -> None:
        self.beat_turn = beat_turn
        self._news: News | None = None
        self._waiter: asyncio.Future[None] | None = None

    def tell(self, news: News) -> None:
        """A change takes the place of an older one and of signals; the end takes the place of everything."""
        if self._news in ENDS or (isinstance(self._news, Change) and news is Signal.BEAT):
            return
        self._news = news
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def next(self) -> News:
        """The newest news; waits for some."""
        while self._news is None:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        news, self._news = self._news, None
        return news


class Listeners:
    """Everybody who waits. `len()` counts them."""

    def __init__(self) -> None:
        self._by_user: defaultdict[str, set[Listener]] = defaultdict(set)
        self._count = 0
        self._turn = 0
        self._ended = False

    def __len__(self) -> int:
        return self._count

    def join(self, user_id: str) -> Listener:
        """Begin to wait for this user's lists; `leave` afterwards, whatever happens."""
        listener = Listener(self._count % _BEATS)
        self._by_user[user_id].add(listener)
        self._count += 1
        if self._ended:
            listener.tell(Signal.END)
        return listener

    def leave(self, user_id: str, listener: Listener) -> None:
        """Wait no longer."""
        own = self._by_user[user_id]
        own.remove(listener)
        if not own:
            del self._by_user[user_id]
        self._count -= 1

    def tell(self, user_id: str, news: News) -> None:
        """Tell everybody who waits for this user's lists."""
        for listener in tuple(self._by_user.get(user_id, ())):
            listener.tell(news)

    def beat(self) -> None:
        """Call once a second: everybody is told every 15 seconds, not all at once."""
        self._turn = (self._turn + 1) % _BEATS
        for listener in self._all():
            if listener.beat_turn == self._turn:
                listener.tell(Signal.BEAT)

    def end(self) -> None:
        """Tell everybody, also those who come later, that it is over."""
        self._ended = True
        for listener in self._all():
            listener.tell(Signal.END)

    def restart(self) -> None:
        """Tell those who are here that it is over: what they were told so far means nothing now."""
        for listener in self._all():
            listener.tell(Signal.ANEW)

    def _all(self) -> Iterator[Listener]:
        return (listener for own in tuple(self._by_user.values()) for listener in tuple(own))
