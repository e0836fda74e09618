"""Connections that only take up room are cut; no key is needed to open one."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.types import Receive, Scope, Send

from app.gateway import server

GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
_TIMEOUT_S = 10.0


async def hello(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answers without reading the body, as a refusal does."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"hi"})


async def patient(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Takes its time over the answer, as a stream does."""
    await asyncio.sleep(1.3)
    await hello(_scope, _receive, send)


@asynccontextmanager
async def connected(app: object) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    listener: socket.socket = server.listen("127.0.0.1", 0)
    running = server.make_server(app)  # type: ignore[arg-type]  # an ASGI application
    serving = asyncio.create_task(running.serve(sockets=[listener]))
    listener.listen()
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        running.should_exit = True
        await serving


async def is_cut(reader: asyncio.StreamReader) -> bool:
    """Wait for the end; what came before it does not matter."""
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            await reader.read()
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True


async def trickle(writer: asyncio.StreamWriter, piece: bytes) -> None:
    """A byte now and then, for ever."""
    while not writer.is_closing():
        writer.write(piece)
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("first", "piece"),
    [
        pytest.param(b"", b"\r\n", id="nothing but line ends"),
        pytest.param(GET, b"X: y\r\n", id="a head that never ends"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n", b"x", id="an unwanted body"),
        pytest.param(GET + b"\r\n", b"\r\n", id="after an answer"),
    ],
)
async def test_whoever_sends_no_whole_request_is_cut(
    monkeypatch: pytest.MonkeyPatch, first: bytes, piece: bytes
) -> None:
    monkeypatch.setattr(server, "_REQUEST_S", 0.3)
    async with connected(hello) as (reader, writer):
        writer.write(first)
        trickling = asyncio.create_task(trickle(writer, piece))
        assert await is_cut(reader)
        trickling.cancel()


async def test_an_answer_may_take_longer_also_that_of_a_request_that_came_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "_REQUEST_S", 1.0)
    async with connected(patient) as (reader, writer):
        writer.write((GET + b"\r\n") * 2)
        for _ in range(2):
            assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(2) == b"hi"


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(GET + b"X: ", id="a header"),
        pytest.param(b"GET /", id="an address"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ", id="a trailer"),
    ],
)
async def test_a_head_without_an_end_is_cut(first: bytes) -> None:
    async with connected(hello) as (reader, writer):
        writer.write(first)
        flood = asyncio.create_task(trickle(writer, b"x" * 20_000))
        assert await is_cut(reader)
        flood.cancel()


async def test_a_large_body_is_no_large_head() -> None:
    body = b"x" * 500_000
    async with connected(hello) as (reader, writer):
        for _ in range(2):
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(2) == b"hi"
