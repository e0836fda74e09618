"""The endpoints for lists, items and users. Thin: who may, what is wanted, what is there."""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from app.gateway import metrics as table
from app.gateway.auth import KEY_ONLY, Caller, Doorkeeper
from app.gateway.catalog import Catalog
from app.gateway.health import Health
from app.gateway.lists import UNKNOWN_VERSION, ListView, encode_view
from app.gateway.problems import JSON_TYPE, Problem, answer, refused
from app.gateway.query import expands, number
from app.gateway.replica import Row
from app.gateway.response import EventStream, StreamTerms
from app.gateway.shelf import Shelf
from app.gateway.sse import last_event_id, list_message
from app.gateway.streams import Listeners, Signal, Wanted
from app.observability import Metrics

DEFAULT_SURFACE: Final = "home"
MAX_IDS: Final = 100
MAX_WAIT_MS: Final = 10_000
_DEFAULT_WAIT_MS: Final = 500
_RETRY_AFTER_S: Final = 1

NOT_READY: Final = Problem(
    503, "not_ready", "The gateway is still reading the newest lists.", retry_after_s=_RETRY_AFTER_S
)
TOO_MANY_STREAMS: Final = Problem(
    503, "too_many_streams", "No more streams can be opened here.", retry_after_s=5 * _RETRY_AFTER_S
)
NO_ITEM: Final = Problem(404, "unknown_item", "The catalog has no such item.")
ASK_FOR_ITEMS: Final = Problem(422, "invalid_request", "Say ids=a,b,c or query=... or sample=24.")


@dataclass(frozen=True, slots=True, eq=False)
class Desk:
    """What the endpoints work with."""

    doorkeeper: Doorkeeper
    shelf: Shelf
    catalog: Catalog
    listeners: Listeners
    terms: StreamTerms
    max_streams: int
    health: Health
    metrics: Metrics


class Endpoints:
    """See the module."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def recommendations(self, request: Request) -> Response:
        """`GET /v1/users/{user_id}/recommendations`."""
        user_id: str = request.path_params["user_id"]
        if problem := self._refusal(request, user_id):
            return refused(problem)
        wanted = _wanted(request)
        event_id = request.query_params.get("wait_for")
        wait_ms = number(request, "timeout_ms", _DEFAULT_WAIT_MS, 0, MAX_WAIT_MS)
        if isinstance(wait_ms, Problem):
            return refused(wait_ms)
        row, reflects = self._desk.shelf.row(user_id), None
        if event_id is not None:
            row, reflects = await self._row_with(user_id, event_id, wait_ms / 1_000)
        view = self._view(user_id, wanted, row)
        if isinstance(view, Problem):
            return refused(view)
        if reflects is not None:
            view = msgspec.structs.replace(view, reflects=reflects)
        return _tagged(request, encode_view(view))

    async def stream(self, request: Request) -> Response | EventStream:
        """`GET /v1/users/{user_id}/recommendations/stream`."""
        user_id: str = request.path_params["user_id"]
        if problem := self._refusal(request, user_id, token=request.query_params.get("token")):
            return refused(problem)
        if len(self._desk.listeners) >= self._desk.max_streams:
            return refused(TOO_MANY_STREAMS)
        wanted, shelf = _wanted(request), self._desk.shelf
        known = last_event_id(request.headers.get("last-event-id"))
        view = self._view(user_id, wanted, shelf.row(user_id))
        if isinstance(view, Problem):
            return refused(view)

        def first() -> bytes:
            # Looked up again when the stream listens: nothing falls between the two.
            now = shelf.view(user_id, wanted, shelf.row(user_id))
            if not isinstance(now, ListView) or (known is not None and known >= now.state_version):
                return b""
            return list_message(now.state_version, encode_view(now))

        return EventStream(self._desk.terms, user_id, wanted, first)

    async def item(self, request: Request) -> Response:
        """`GET /v1/items/{item_id}`."""
        if isinstance(caller := self._caller(request), Problem):
            return refused(caller)
        whole = self._desk.catalog.whole(request.path_params["item_id"])
        return refused(NO_ITEM) if whole is None else answer(whole)

    async def items(self, request: Request) -> Response:
        """`GET /v1/items?ids=` or `?query=` or `?sample=`."""
        if isinstance(caller := self._caller(request), Problem):
            return refused(caller)
        asked, catalog = request.query_params, self._desk.catalog
        limit = number(request, "limit", 20, 1, MAX_IDS)
        size = number(request, "sample", 24, 1, MAX_IDS)
        seed = number(request, "seed", 0, 0, 1 << 53)
        for problem in (limit, size, seed):
            if isinstance(problem, Problem):
                return refused(problem)
        if "ids" in asked:
            found = [each for each in asked["ids"].split(",") if each]
            if len(found) > MAX_IDS:
                return refused(Problem(422, "invalid_request", f"{len(found)} ids; at most {MAX_IDS}.", "ids"))
        elif "query" in asked:
            found = catalog.search(asked["query"], int(limit))  # type: ignore[arg-type]  # no problem, see above
        elif "sample" in asked:
            found = catalog.sample(int(size), int(seed))  # type: ignore[arg-type]  # as above
        else:
            return refused(ASK_FOR_ITEMS)
        return answer({"items": catalog.wholes(found)})

    async def users(self, request: Request) -> Response:
        """`GET /v1/users`: those whose lists changed most recently."""
        if problem := self.server_only(request):
            return refused(problem)
        limit = number(request, "limit", 24, 1, 1_000)
        if isinstance(limit, Problem):
            return refused(limit)
        users = [
            {"user_id": each.user_id, "state_version": each.state_version, "generated_ts": each.generated_ts_ms}
            for each in self._desk.shelf.recent_users.newest(limit)
        ]
        return answer({"users": users})

    async def readyz(self, _request: Request) -> Response:
        """`GET /readyz`, for load balancers."""
        status = self._desk.health.ready()
        return answer({"ok": status.ok, "why": status.why}, 200 if status.ok else 503)

    def server_only(self, request: Request, *, token: str | None = None) -> Problem | None:
        """What keeps this caller from what only servers may do."""
        caller = self._caller(request, token)
        if isinstance(caller, Problem):
            return caller
        return None if caller.is_server else KEY_ONLY

    def _caller(self, request: Request, token: str | None = None) -> Caller | Problem:
        return self._desk.doorkeeper.caller(request.headers.get("authorization"), token)

    def _refusal(self, request: Request, user_id: str, *, token: str | None = None) -> Problem | None:
        """What keeps this caller from this user's lists."""
        caller = self._caller(request, token)
        if isinstance(caller, Problem):
            return caller
        if not caller.may_act_for(user_id):
            return Problem(403, "forbidden", "The token is for another user's lists.")
        return None if self._desk.health.caught_up else NOT_READY

    def _view(self, user_id: str, wanted: Wanted, row: Row | None) -> ListView | Problem:
        view = self._desk.shelf.view(user_id, wanted, row)
        names = view if isinstance(view, Mapping) else self._desk.shelf.surfaces
        if isinstance(view, ListView) and (
            view.state_version > UNKNOWN_VERSION or not names or wanted.surface in names
        ):
            return view
        there_are = ", ".join(sorted(names))
        return Problem(404, "unknown_surface", f"There is no surface {wanted.surface!r}; there are: {there_are}.")

    async def _row_with(self, user_id: str, event_id: str, wait_s: float) -> tuple[Row | None, bool]:
        """The user's lists once they know of the event, or the newest when it has taken too long."""
        listeners, shelf = self._desk.listeners, self._desk.shelf
        listener = listeners.join(user_id)
        try:
            async with asyncio.timeout(wait_s):
                while not shelf.reflects(user_id, event_id, shelf.row(user_id)):
                    if await listener.next() is Signal.END:
                        break
        except TimeoutError:
            pass
        finally:
            listeners.leave(user_id, listener)
        row = shelf.row(user_id)
        reflects = shelf.reflects(user_id, event_id, row)
        self._desk.metrics.counter(table.WAITS, str(reflects).lower()).inc()
        return row, reflects


def _wanted(request: Request) -> Wanted:
    return Wanted(request.query_params.get("surface", DEFAULT_SURFACE), expands(request))


def _tagged(request: Request, body: bytes) -> Response:
    """The body, or 304 where the client has it already."""
    tag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    return Response(None, 304, headers) if tag in known else Response(body, 200, headers, JSON_TYPE)
