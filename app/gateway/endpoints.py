"""The endpoints for lists and items. Thin: who may, what is wanted, what is there."""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from app.gateway import metrics as table
from app.gateway.doors import Doors
from app.gateway.lists import UNKNOWN_VERSION, ListView, encode_view
from app.gateway.problems import JSON_TYPE, TOO_MANY_STREAMS, Problem, answer, refused
from app.gateway.query import expands, number
from app.gateway.replica import Row
from app.gateway.response import EventStream, StreamTerms
from app.gateway.shelf import Awaited, Shelf
from app.gateway.sse import forgotten_message, last_event_id, list_message
from app.gateway.streams import ENDS, Wanted

DEFAULT_SURFACE: Final = "home"
MAX_WAIT_MS: Final = 10_000
MAX_USERS: Final = 1_000
_DEFAULT_WAIT_MS: Final = 500
_DEFAULT_USERS: Final = 24
_NOT_TOLD: Final = 2**63 - 1  # the highest offset there could be: no list reaches it


@dataclass(frozen=True, slots=True, eq=False)
class ListDesk:
    """What these endpoints work with."""

    doors: Doors
    shelf: Shelf
    terms: StreamTerms
    max_streams: int


class ListEndpoints:
    """See the module."""

    def __init__(self, desk: ListDesk) -> None:
        self._desk = desk

    async def recommendations(self, request: Request) -> Response:
        """`GET /v1/users/{user_id}/recommendations`."""
        user_id: str = request.path_params["user_id"]
        if problem := self._desk.doors.to_user(request, user_id):
            return refused(problem)
        event = _awaited(request)
        wait_ms = number(request, "timeout_ms", _DEFAULT_WAIT_MS, 0, MAX_WAIT_MS)
        if isinstance(event, Problem):
            return refused(event)
        if isinstance(wait_ms, Problem):
            return refused(wait_ms)
        wanted, row, reflects = _wanted(request), self._desk.shelf.row(user_id), None
        view = self._view(user_id, wanted, row)
        if event is not None and not isinstance(view, Problem):
            row, reflects = await self._row_with(user_id, event, wait_ms / 1_000)
            view = self._view(user_id, wanted, row)
        if isinstance(view, Problem):
            return refused(view)
        if reflects is not None:
            view = msgspec.structs.replace(view, reflects=reflects)
        return _tagged(request, encode_view(view))

    async def stream(self, request: Request) -> Response | EventStream:
        """`GET /v1/users/{user_id}/recommendations/stream`."""
        user_id: str = request.path_params["user_id"]
        if problem := self._desk.doors.to_user(request, user_id, token=request.query_params.get("token")):
            return refused(problem)
        if len(self._desk.terms.listeners) >= self._desk.max_streams:
            return refused(TOO_MANY_STREAMS)
        wanted, shelf = _wanted(request), self._desk.shelf
        view = self._view(user_id, wanted, shelf.row(user_id))
        if isinstance(view, Problem):
            return refused(view)
        seen = last_event_id(request.headers.get("last-event-id"))

        def first() -> bytes:
            # Looked up again when the stream listens: nothing falls between the two.
            now = shelf.view(user_id, wanted, shelf.row(user_id))
            if not isinstance(now, ListView):
                return b""
            if seen is not None and seen >= now.state_version:
                forgotten = seen > UNKNOWN_VERSION and not now.known  # while nobody listened
                return forgotten_message(user_id) if forgotten else b""
            return list_message(now.state_version, encode_view(now))

        return EventStream(self._desk.terms, user_id, wanted, first)

    async def users(self, request: Request) -> Response:
        """`GET /v1/users`: those whose lists changed most recently."""
        if problem := self._desk.doors.to_servers(request):
            return refused(problem)
        limit = number(request, "limit", _DEFAULT_USERS, 1, MAX_USERS)
        if isinstance(limit, Problem):
            return refused(limit)
        users = [
            {"user_id": each.user_id, "state_version": each.state_version, "generated_ts": each.generated_ts_ms}
            for each in self._desk.shelf.recent_users.newest(limit)
        ]
        return answer({"users": users})

    async def readyz(self, _request: Request) -> Response:
        """`GET /readyz`, for load balancers."""
        status = self._desk.doors.health.ready()
        return answer({"ok": status.ok, "why": status.why}, 200 if status.ok else 503)

    def _view(self, user_id: str, wanted: Wanted, row: Row | None) -> ListView | Problem:
        view = self._desk.shelf.view(user_id, wanted, row)
        names = view if isinstance(view, Mapping) else self._desk.shelf.surfaces
        if isinstance(view, ListView) and (
            view.state_version > UNKNOWN_VERSION or not names or wanted.surface in names
        ):
            return view
        there_are = ", ".join(sorted(names))
        return Problem(404, "unknown_surface", f"There is no surface {wanted.surface!r}; there are: {there_are}.")

    async def _row_with(self, user_id: str, event: Awaited, wait_s: float) -> tuple[Row | None, bool]:
        """The user's lists once they know of the event, or the newest when it has taken too long."""
        listeners, shelf = self._desk.terms.listeners, self._desk.shelf
        listener = listeners.join(user_id)
        try:
            async with asyncio.timeout(wait_s):
                while not shelf.reflects(event, shelf.row(user_id)):
                    if await listener.next() in ENDS:
                        break
        except TimeoutError:
            pass
        finally:
            listeners.leave(user_id, listener)
        row = shelf.row(user_id)
        reflects = shelf.reflects(event, row)
        self._desk.terms.metrics.counter(table.WAITS, str(reflects).lower()).inc()
        return row, reflects


def _wanted(request: Request) -> Wanted:
    return Wanted(request.query_params.get("surface", DEFAULT_SURFACE), expands(request))


def _awaited(request: Request) -> Awaited | Problem | None:
    """The event that the answer should know of; None: it need not wait."""
    event_id = request.query_params.get("wait_for")
    if event_id is None:
        return None
    offset = number(request, "offset", _NOT_TOLD, 0, _NOT_TOLD)
    return offset if isinstance(offset, Problem) else Awaited(event_id, offset)


def _tagged(request: Request, body: bytes) -> Response:
    """The body, or 304 where the client has it already."""
    tag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    return Response(None, 304, headers) if tag in known else Response(body, 200, headers, JSON_TYPE)
