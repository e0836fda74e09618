"""Some visitors as their browsers see it: events posted to the gateway, lists from its streams, the time between."""

import asyncio
import time
from bisect import insort
from collections import deque
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final
from urllib.parse import quote

import msgspec
from aiohttp import ClientSession, ClientTimeout, StreamReader, TCPConnector
from msgspec import Struct

from app.contracts.events import Event, encode_event
from app.errors import ProcessFailed

_POST_TIMEOUT_S: Final = 30.0
_POLL_S: Final = 0.05


class _Place(Struct, frozen=True):
    offset: int


class _Accepted(Struct, frozen=True):
    events: tuple[_Place, ...]


class _StreamedList(Struct, frozen=True):
    state_version: int
    known: bool


@dataclass(slots=True)
class _Visitor:
    """One open page.

    Attributes:
        posting: what is still to be posted.
        waiting: events that are not on the page yet, posted or not.
        unanswered: offset and time of posting of those that Kafka has.
        shown: state version of the list on the page, and since when.
    """

    posting: asyncio.Queue[Event] = field(default_factory=asyncio.Queue)
    waiting: int = 0
    unanswered: deque[tuple[int, float]] = field(default_factory=deque)
    shown: tuple[int, float] = (-1, 0.0)


class Browsers:
    """Open pages of some visitors; an asynchronous context manager. One visitor's events are posted one by one.

    Args:
        url: of the gateway, which lets everybody in.
        user_ids: whose pages are open.

    Attributes:
        freshness_s: from posting an event to its list on the page, ascending.
    """

    def __init__(self, url: str, user_ids: Collection[str]) -> None:
        self._url = url
        self._visitors = {user_id: _Visitor() for user_id in user_ids}
        self._stack = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self.freshness_s: list[float] = []

    async def __aenter__(self) -> "Browsers":
        # A stream each, and a post each.
        connector = TCPConnector(limit=0)
        session = await self._stack.enter_async_context(ClientSession(self._url, connector=connector))
        for user_id, visitor in self._visitors.items():
            self._tasks.append(asyncio.create_task(self._watch(session, user_id, visitor)))
            self._tasks.append(asyncio.create_task(self._post(session, visitor)))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()

    def post(self, event: Event) -> bool:
        """Post it as soon as the visitor's events before it are answered; False: the visitor has no page here."""
        visitor = self._visitors.get(event.user_id)
        if visitor is None:
            return False
        visitor.waiting += 1
        visitor.posting.put_nowait(event)
        return True

    async def settled(self, timeout_s: float) -> bool:
        """Wait until every event is on its visitor's page; False: not in time.

        Raises:
            ProcessFailed: the gateway refused an event or ended a stream.
        """
        deadline = time.monotonic() + timeout_s
        while self.waiting:
            for task in self._tasks:
                if task.done():
                    task.result()
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(_POLL_S)
        return True

    @property
    def waiting(self) -> int:
        """How many events are not on their visitor's page yet."""
        return sum(visitor.waiting for visitor in self._visitors.values())

    async def _post(self, session: ClientSession, visitor: _Visitor) -> None:
        while True:
            event = await visitor.posting.get()
            sent_s = time.perf_counter()
            timeout = ClientTimeout(total=_POST_TIMEOUT_S)
            async with session.post("/v1/events", data=encode_event(event), timeout=timeout) as answer:
                body = await answer.read()
            if not answer.ok:
                raise ProcessFailed(f"The gateway refused an event ({answer.status}): {body.decode()}")
            offset = msgspec.json.decode(body, type=_Accepted).events[0].offset
            visitor.unanswered.append((offset, sent_s))
            self._count(visitor)  # its list may have been faster than the answer

    async def _watch(self, session: ClientSession, user_id: str, visitor: _Visitor) -> None:
        path = f"/v1/users/{quote(user_id, safe='')}/recommendations/stream"
        async with session.get(path, timeout=ClientTimeout(total=None)) as answer:
            if not answer.ok:
                raise ProcessFailed(f"The gateway refused a stream ({answer.status}): {await answer.text()}")
            async for shown in _lists(answer.content):
                if shown.known:  # newcomers' lists have versions of their own
                    visitor.shown = shown.state_version, time.perf_counter()
                    self._count(visitor)
        raise ProcessFailed(f"The gateway ended the stream of {user_id}.")

    def _count(self, visitor: _Visitor) -> None:
        """Note how long the events took that the page reflects."""
        reflects, since_s = visitor.shown
        while visitor.unanswered and visitor.unanswered[0][0] <= reflects:
            insort(self.freshness_s, since_s - visitor.unanswered.popleft()[1])
            visitor.waiting -= 1


async def _lists(stream: StreamReader) -> AsyncIterator[_StreamedList]:
    """The lists in a stream of server-sent events."""
    while line := await stream.readuntil(b"\n"):
        if line.startswith(b"data:"):
            yield msgspec.json.decode(line.removeprefix(b"data:"), type=_StreamedList)
