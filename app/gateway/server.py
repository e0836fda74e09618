"""uvicorn, as the gateway needs it: its own signals, a socket that bounds memory, connections that can be cut."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.errors import SettingsError
from app.processes.descriptors import raise_descriptor_limit

KEEP_ALIVE_S: Final = 30
GRACE_S: Final = 10
_BACKLOG: Final = 1_024
_SEND_BUFFER_BYTES: Final = 131_072  # a slow reader's lists wait here at most; the kernel would take megabytes
_VANISHED_MS: Final = 45_000  # a phone that lost its network is missed after this long, not after a quarter of an hour
_REQUEST_S: Final = KEEP_ALIVE_S + 15.0  # whoever sends no whole request for so long only takes up room
_MAX_HEAD_BYTES: Final = 65_536  # of a request, besides its body; the parser itself keeps whatever comes
_MOST_WAITING: Final = 16  # requests behind the one that is being answered; a connection with so many is cut
_BESIDES_STREAMS: Final = 256  # connections
_FILES: Final = 256  # RocksDB's, Kafka's: for want of one of them RocksDB never writes again
_TELL_EVERY_S: Final = 60.0
_ABORT: Final = "riverrun.abort"

logger = logging.getLogger(__name__)


class _TooManyWaiting(Exception):
    """Stops the parser in the middle of what came."""


@dataclass(frozen=True, slots=True)
class Room:
    """How many may come.

    Attributes:
        streams: that are open at a time.
        connections: whatever they are for; one more is cut at once.
        backlog: connections that the kernel may hand over together, before one of them can be cut.
    """

    streams: int
    connections: int
    backlog: int


class Config(uvicorn.Config):
    """uvicorn's, and the room there is."""

    def __init__(self, app: ASGIApp, room: Room) -> None:
        super().__init__(
            app,
            http=Protocol,
            loop="none",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=GRACE_S,
            backlog=room.backlog,
        )
        self.max_connections = room.connections
        self._told_s = -_TELL_EVERY_S

    def tell_full(self, now_s: float) -> None:
        """Say it, but not for each one that comes; `now_s` is monotonic."""
        if now_s - self._told_s >= _TELL_EVERY_S:
            self._told_s = now_s
            logger.warning("%d connections are open: whoever else comes is cut.", self.max_connections)


class Protocol(HttpToolsProtocol):
    """Lets a response cut its connection: closing it politely would wait for a client that reads nothing.

    Cuts one by itself whose next request does not come, or trickles, or has a head without an end, or has too many
    requests behind it, or is one too many: uvicorn bounds none of these, and nobody needs a key for them.
    """

    config: Config
    _answered: RequestResponseCycle | None = None  # uvicorn itself knows the newest request, which may be behind it
    _too_late: asyncio.TimerHandle | None = None
    _begun = 0  # requests
    _body_bytes = 0  # of all of them
    _head_bytes = 0  # of the newest one, without what came together with its first byte

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Somebody is there."""
        super().connection_made(transport)
        self._expect_request()
        if len(self.connections) > self.config.max_connections:
            self.config.tell_full(self.loop.time())
            self._cut()

    def connection_lost(self, exc: Exception | None) -> None:
        """They are gone."""
        self._expect_nothing()
        self._tell_gone()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some of a request, or of several."""
        begun, body_bytes = self._begun, self._body_bytes
        super().data_received(data)
        came = len(data) - (self._body_bytes - body_bytes)
        self._head_bytes = self._head_bytes + came if self._begun == begun else 0
        if self._head_bytes > _MAX_HEAD_BYTES or len(self.pipeline) >= _MOST_WAITING:
            self._cut()

    def on_message_begin(self) -> None:
        """A request begins."""
        if len(self.pipeline) >= _MOST_WAITING:
            raise _TooManyWaiting
        super().on_message_begin()
        self._begun += 1
        self.scope["state"][_ABORT] = self._cut

    def on_body(self, body: bytes) -> None:
        """Some of its body."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """All of it is here; how long the answer takes is for the gateway to say."""
        self._expect_nothing()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """It was answered, whole or not."""
        super().on_response_complete()
        if self.cycle.response_complete:  # otherwise the next request was there already
            self._expect_request()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

    def _cut(self) -> None:
        self._tell_gone()
        self.transport.abort()

    def _tell_gone(self) -> None:
        """Whoever is being answered is gone: a stream with a request behind it would never end."""
        if self._answered is not None and not self._answered.response_complete:
            self._answered.disconnected = True
            self._answered.message_event.set()

    def _expect_request(self) -> None:
        self._expect_nothing()
        self._too_late = self.loop.call_later(_REQUEST_S, self._cut)

    def _expect_nothing(self) -> None:
        if self._too_late is not None:
            self._too_late.cancel()
            self._too_late = None


class Server(uvicorn.Server):
    """A uvicorn that leaves the signals to its caller, who sets `should_exit`."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take none."""
        yield


def make_server(app: ASGIApp, room: Room) -> Server:
    """The server of an application; `serve(sockets=[...])` runs it."""
    return Server(Config(app, room))


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; what it accepts has its bounds.

    Raises:
        SettingsError: the address is in use, not allowed or not there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _VANISHED_MS)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"Cannot listen on {host}:{port}: {error.strerror}.",
            hint="Set RIVERRUN_GATEWAY__PORT (or __HOST) to a free one.",
        ) from error
    return listener


def abort_connection(scope: Scope) -> None:
    """Cut the connection that this request came over; what waits in its buffers is dropped."""
    abort: Any = scope.get("state", {}).get(_ABORT)
    if abort is not None:
        abort()


def room_for(streams: int) -> Room:
    """Allow as many open connections as the system does; says if they are too few for so many streams."""
    descriptors = raise_descriptor_limit()
    wanted = 2 * streams + _BESIDES_STREAMS  # a page has a stream, and sends its events over another connection
    if descriptors < 0:  # no limit
        return Room(streams, wanted, _BACKLOG)
    backlog = max(1, min(_BACKLOG, descriptors // 8))
    there_is = max(1 + _BESIDES_STREAMS, descriptors - backlog - _FILES)
    if there_is - _BESIDES_STREAMS >= streams:
        return Room(streams, min(wanted, there_is), backlog)
    logger.warning(
        "Only %d files may be open: %d streams instead of %d. Raise the limit (ulimit -Hn, LimitNOFILE).",
        descriptors, there_is - _BESIDES_STREAMS, streams,
    )  # fmt: skip
    return Room(there_is - _BESIDES_STREAMS, there_is, backlog)
