"""A shop's frontend before a gateway: sends what visitors do over HTTP, and reads their lists from open streams.

The counterpart of `Shopfront`, which does the same through Kafka itself; both keep the same account.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from types import TracebackType
from typing import Any, Final
from urllib.parse import quote

import aiohttp
import msgspec
from msgspec import Struct

from app.contracts.events import Event, encode_event
from app.contracts.recommendations import Cause, Recommendations, RecommendedItem
from app.demo.scorecard import Arrival, Ledger
from app.errors import RiverrunError

_SURFACE: Final = "home"
_DATA: Final = b"data: "
_POLL_S: Final = 0.05
_OPEN_AT_ONCE: Final = 100


class _Shown(Struct, frozen=True):
    """A gateway's list, as far as the account needs it."""

    user_id: str
    known: bool
    state_version: int
    recommendation_id: str | None = None
    generated_ts: int | None = None
    model_version: str | None = None
    variant: str | None = None
    cause: Cause | None = None
    items: tuple[RecommendedItem, ...] = ()


class _Place(Struct, frozen=True):
    offset: int


class _Accepted(Struct, frozen=True):
    events: tuple[_Place, ...]


_shown = msgspec.json.Decoder(_Shown)
_accepted = msgspec.json.Decoder(_Accepted)


class Frontend:
    """Use as an asynchronous context manager.

    Args:
        address: of the gateway, for example `http://127.0.0.1:8080`.
        api_key: empty for a gateway with open access.

    Attributes:
        ledger: what was sent and what came back.
        watched: users whose streams are open.
        acknowledged_s: how long each event took until the gateway said that Kafka has it.
        on_list: told of each newer list.
    """

    def __init__(self, address: str, api_key: str = "") -> None:
        self.ledger = Ledger()
        self.watched: set[str] = set()
        self.acknowledged_s: list[float] = []
        self.on_list: Callable[[str, Arrival], None] = lambda _user, _arrival: None
        self._address = address
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._session: Any = None
        self._streams: set[asyncio.Task[None]] = set()
        self._posts: set[asyncio.Task[None]] = set()
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def __aenter__(self) -> "Frontend":
        self._session = aiohttp.ClientSession(
            self._address,
            headers=self._headers,
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in (*self._posts, *self._streams):
            task.cancel()
        await asyncio.gather(*self._posts, *self._streams, return_exceptions=True)
        await self._session.close()

    async def open_streams(self, user_ids: Iterable[str]) -> None:
        """Open a stream for each of these users; returns when all of them are open.

        Raises:
            RiverrunError: one was refused.
        """
        room = asyncio.Semaphore(_OPEN_AT_ONCE)
        opened = []
        for user_id in user_ids:
            self.watched.add(user_id)
            is_open = asyncio.get_running_loop().create_future()
            stream = asyncio.create_task(self._follow(user_id, room, is_open))
            self._streams.add(stream)
            opened.append(is_open)
        await asyncio.gather(*opened)

    async def visit(self, events: AsyncIterator[Event], on_event: Callable[[Event], None]) -> None:
        """Send events as they come, each in a request of its own; returns when all are answered.

        Raises:
            RiverrunError: one was refused.
        """
        async for event in events:
            on_event(event)
            self.post(event)
        await asyncio.gather(*self._posts)

    def post(self, event: Event) -> None:
        """Send an event in a request of its own, behind those of its user; `settled` waits for the answer."""
        self.ledger.sent(event)
        post = asyncio.create_task(self._post(event))
        self._posts.add(post)
        post.add_done_callback(self._answered)

    async def settled(self, timeout_s: float) -> bool:
        """Wait until every user's newest list was caused by the user's newest event; False: it never came.

        Raises:
            RiverrunError: an event was refused, or a stream ended.
        """
        deadline = time.monotonic() + timeout_s
        while self._posts or self.ledger.owed():
            for task in (*self._posts, *self._streams):
                if task.done():
                    task.result()
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(_POLL_S)
        return True

    def _answered(self, post: "asyncio.Task[None]") -> None:
        if not post.cancelled() and post.exception() is None:  # the others stay for whoever looks
            self._posts.discard(post)

    async def _post(self, event: Event) -> None:
        async with self._turns[event.user_id]:  # of two in one user's name the later one must lie behind
            sent_s = time.perf_counter()
            async with self._session.post("/v1/events", data=encode_event(event)) as answer:
                body = await answer.read()
        if answer.status != 200:  # noqa: PLR2004  # HTTP's own number
            raise RiverrunError(f"The gateway refused an event ({answer.status}): {body.decode()}")
        self.acknowledged_s.append(time.perf_counter() - sent_s)
        (place,) = _accepted.decode(body).events
        self.ledger.stored(event, place.offset, sent_s)

    async def _follow(self, user_id: str, room: asyncio.Semaphore, is_open: "asyncio.Future[None]") -> None:
        try:
            await room.acquire()
            path = f"/v1/users/{quote(user_id, safe='')}/recommendations/stream?surface={_SURFACE}"
            async with self._session.get(path) as stream:
                room.release()
                if stream.status != 200:  # noqa: PLR2004  # HTTP's own number
                    raise RiverrunError(f"The gateway refused a stream ({stream.status}): {await stream.text()}")
                is_open.set_result(None)
                async for line in stream.content:
                    if line.startswith(_DATA):
                        self._arrived(user_id, line[len(_DATA) :])
            raise RiverrunError(f"The gateway ended the stream of {user_id}.")
        except (RiverrunError, aiohttp.ClientError) as error:
            if not is_open.done():
                is_open.set_exception(error)
            raise

    def _arrived(self, user_id: str, data: bytes) -> None:
        arrived_s = time.perf_counter()
        shown = _shown.decode(data)
        if shown.cause is None:  # a newcomer's list, or a user who was forgotten
            return
        recommendations = Recommendations(
            user_id=user_id,
            recommendation_id=shown.recommendation_id or "",
            state_version=shown.state_version,
            generated_ts_ms=shown.generated_ts or 0,
            model_version=shown.model_version or "",
            variant=shown.variant or "",
            cause=shown.cause,
            lists={_SURFACE: shown.items},
        )
        arrival = Arrival(recommendations, arrived_s)
        if self.ledger.arrived(user_id, arrival):
            self.on_list(user_id, arrival)
