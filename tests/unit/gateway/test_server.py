"""Connections that only take up room are cut; no key is needed to open one."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest
from starlette.types import Receive, Scope, Send

from app.gateway import server

ROOM = server.Room(streams=10, connections=2, backlog=16)
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
    running = server.make_server(app, ROOM)  # type: ignore[arg-type]  # an ASGI application
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


async def test_whoever_sends_requests_without_end_and_reads_no_answer_is_cut() -> None:
    begun: list[Scope] = []
    cut = asyncio.Event()

    async def waiting(scope: Scope, _receive: Receive, _send: Send) -> None:
        begun.append(scope)
        await cut.wait()

    async with connected(waiting) as (reader, writer):
        writer.write((GET + b"\r\n") * 10_000)
        assert await is_cut(reader)
        cut.set()
    assert len(begun) == 1


async def test_a_stream_with_a_request_behind_it_hears_that_its_client_is_gone() -> None:
    streaming, gone = asyncio.Event(), asyncio.Event()

    async def stream(_scope: Scope, receive: Receive, _send: Send) -> None:
        streaming.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        gone.set()

    async with connected(stream) as (_reader, writer), asyncio.timeout(_TIMEOUT_S):
        writer.write((GET + b"\r\n") * 2)
        await streaming.wait()
        writer.transport.abort()
        await gone.wait()


async def test_some_requests_may_come_together() -> None:
    async with connected(hello) as (reader, writer):
        writer.write((GET + b"\r\n") * 16)
        for _ in range(16):
            assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(2) == b"hi"


async def test_one_connection_too_many_is_cut_and_those_that_are_there_stay(caplog: pytest.LogCaptureFixture) -> None:
    async with connected(hello) as (reader, writer), AsyncExitStack() as stack:
        address = writer.get_extra_info("peername")
        await stack.enter_async_context(another(address))
        for _ in range(3):
            async with another(address) as (one_too_many, _writer):
                assert await is_cut(one_too_many)
        writer.write(GET + b"\r\n")
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        await stack.aclose()
        async with asyncio.timeout(_TIMEOUT_S):
            while not await is_served(address):
                pass
    assert caplog.messages[0] == "2 connections are open: whoever else comes is cut."
    assert len(caplog.messages) == 1


@asynccontextmanager
async def another(address: tuple[str, int]) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*address)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def is_served(address: tuple[str, int]) -> bool:
    async with another(address) as (reader, writer):
        writer.write(GET + b"\r\n")
        try:
            return b" 200 " in await reader.readuntil(b"\r\n\r\n")
        except (ConnectionError, asyncio.IncompleteReadError):
            return False


@pytest.mark.parametrize(
    ("descriptors", "room"),
    [
        pytest.param(-1, server.Room(10_000, 20_256, 1_024), id="no limit"),
        pytest.param(1_000_000, server.Room(10_000, 20_256, 1_024), id="more than enough"),
        pytest.param(20_000, server.Room(10_000, 18_720, 1_024), id="enough"),
        pytest.param(4_096, server.Room(3_072, 3_328, 512), id="too few"),
        pytest.param(256, server.Room(1, 257, 32), id="far too few"),
    ],
)
def test_files_are_left_whoever_comes(monkeypatch: pytest.MonkeyPatch, descriptors: int, room: server.Room) -> None:
    monkeypatch.setattr(server, "raise_descriptor_limit", lambda: descriptors)
    assert server.room_for(10_000) == room
