"""One open stream of server-sent events: an ASGI response that never waits for its client for long."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.types import Receive, Scope, Send

from app.gateway import metrics as table
from app.gateway.server import abort_connection
from app.gateway.sse import ANEW, BEAT, RETRY
from app.gateway.streams import ENDS, Change, Listener, Listeners, Signal, Wanted
from app.observability import Metrics

_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would hold messages back
]


@dataclass(frozen=True, slots=True, eq=False)
class StreamTerms:
    """What all streams share. `slow_client_s`: how long a socket may take nothing."""

    listeners: Listeners
    slow_client_s: float
    metrics: Metrics


class EventStream:
    """An ASGI response that sends the changes of one key until the client or the gateway goes.

    Args:
        terms: shared by all streams.
        key: whose changes; a user id.
        wanted: what is shown of them.
        first: makes what is sent at once, after the stream began to listen; empty: nothing.
    """

    __slots__ = ("_first", "_key", "_terms", "_wanted")

    def __init__(self, terms: StreamTerms, key: str, wanted: Wanted, first: Callable[[], bytes]) -> None:
        self._terms = terms
        self._key = key
        self._wanted = wanted
        self._first = first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve it."""
        if scope["method"] == "HEAD":
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await send({"type": "http.response.body", "body": b""})
            return
        listeners = self._terms.listeners
        listener = listeners.join(self._key)
        gone = asyncio.create_task(_until_gone(receive))
        gone.add_done_callback(lambda _: listener.tell(Signal.END))
        try:
            async with asyncio.timeout(None) as limit:
                await self._serve(listener, _Line(send, limit, self._terms.slow_client_s), gone)
        except TimeoutError:
            self._terms.metrics.counter(table.STREAMS_DROPPED).inc()
            abort_connection(scope)
        finally:
            gone.cancel()
            listeners.leave(self._key, listener)

    async def _serve(self, listener: Listener, line: "_Line", gone: "asyncio.Task[None]") -> None:
        await line.start()
        await line.say(RETRY + self._first())
        while (news := await listener.next()) not in ENDS:
            if news is Signal.BEAT:
                await line.say(BEAT)
            elif isinstance(news, Change) and (message := news.message(self._wanted)) is not None:
                await line.say(message)
                self._terms.metrics.counter(table.MESSAGES).inc()
        if not gone.done():
            await line.end(ANEW if news is Signal.ANEW else RETRY)


class _Line:
    """The way to the client; times out where it takes nothing for `slow_client_s`."""

    __slots__ = ("_limit", "_loop", "_send", "_slow_client_s")

    def __init__(self, send: Send, limit: asyncio.Timeout, slow_client_s: float) -> None:
        self._send = send
        self._limit = limit
        self._slow_client_s = slow_client_s
        self._loop = asyncio.get_running_loop()

    async def start(self) -> None:
        await self._send({"type": "http.response.start", "status": 200, "headers": _HEADERS})

    async def say(self, body: bytes, *, more: bool = True) -> None:
        # The server waits here for room in the client's buffer before it takes more.
        self._limit.reschedule(self._loop.time() + self._slow_client_s)
        await self._send({"type": "http.response.body", "body": body, "more_body": more})
        self._limit.reschedule(None)

    async def end(self, body: bytes) -> None:
        await self.say(body, more=False)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
