"""An open stream: what is sent, when it ends, and that a slow client is cut."""

import asyncio
from typing import Any

from app.gateway.metrics import STREAMS_DROPPED, TABLE
from app.gateway.replica import Row
from app.gateway.response import EventStream, StreamTerms
from app.gateway.streams import Change, Listeners, Signal, Wanted
from app.observability import Metrics

HOME = Wanted("home", expanded=False)


class Connection:
    """The server's side of a connection, as ASGI has it."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.over = False
        self.aborted = False
        self.writable = asyncio.Event()
        self.writable.set()
        self.left = asyncio.Event()

    def scope(self, method: str = "GET") -> dict[str, Any]:
        return {"type": "http", "method": method, "state": {"riverrun.abort": self.abort}}

    def abort(self) -> None:
        self.aborted = True

    async def receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        await self.writable.wait()
        if message["type"] == "http.response.body":
            self.bodies.append(message["body"])
            self.over = not message.get("more_body", False)


class Streaming:
    """A stream over such a connection."""

    def __init__(self, slow_client_s: float = 5.0, method: str = "GET") -> None:
        self.listeners = Listeners()
        self.metrics = Metrics(TABLE)
        self.connection = Connection()
        stream = EventStream(StreamTerms(self.listeners, slow_client_s, self.metrics), "ann", HOME, lambda: b"first")
        scope, connection = self.connection.scope(method), self.connection
        self.task = asyncio.create_task(stream(scope, connection.receive, connection.send))

    def change(self, version: int) -> None:
        self.listeners.tell("ann", Change(Row(version, 0, b""), lambda _change, _wanted: b"list %d" % version))

    async def turn(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)


async def test_the_first_list_comes_at_once_then_changes_and_beats() -> None:
    streaming = Streaming()
    await streaming.turn()
    streaming.change(1)
    await streaming.turn()
    streaming.listeners.tell("ann", Signal.BEAT)
    await streaming.turn()
    assert streaming.connection.bodies == [b"retry: 1000\n\nfirst", b"list 1", b": beat\n\n"]
    streaming.connection.left.set()
    await streaming.task
    assert (len(streaming.listeners), streaming.connection.over) == (0, False)


async def test_the_end_of_the_gateway_ends_the_stream_with_a_hint_to_come_again() -> None:
    streaming = Streaming()
    await streaming.turn()
    streaming.listeners.end()
    await streaming.task
    assert (streaming.connection.bodies[-1], streaming.connection.over) == (b"retry: 1000\n\n", True)


async def test_lists_made_anew_end_the_stream_and_the_browser_forgets_where_it_was() -> None:
    streaming = Streaming()
    await streaming.turn()
    streaming.change(1_001)
    streaming.listeners.restart()
    await streaming.task
    assert streaming.connection.bodies[-1] == b"id\nretry: 1000\n\n"


async def test_a_client_that_takes_nothing_is_cut_and_gets_the_newest_only_if_it_wakes_up_in_time() -> None:
    slow, waking = Streaming(slow_client_s=0.05), Streaming(slow_client_s=5.0)
    for streaming in (slow, waking):
        await streaming.turn()
        streaming.connection.writable.clear()
        for version in (1, 2, 3):
            streaming.change(version)
            await streaming.turn()
    waking.connection.writable.set()
    await waking.turn()
    await waking.turn()
    assert waking.connection.bodies[1:] == [b"list 1", b"list 3"]
    assert not waking.connection.aborted
    waking.connection.left.set()
    await waking.task
    await slow.task
    assert slow.connection.aborted
    assert slow.metrics.counter(STREAMS_DROPPED)._value.get() == 1  # noqa: SLF001  # prometheus has no other way to ask
    assert len(slow.listeners) == 0


async def test_head_is_answered_without_a_stream() -> None:
    streaming = Streaming(method="HEAD")
    await streaming.task
    assert (streaming.connection.bodies, streaming.connection.over) == ([b""], True)
