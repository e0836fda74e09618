"""The endpoints that take something in: events, and requests for tokens."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec import Struct, field
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from app.gateway import metrics as table
from app.gateway.auth import Doorkeeper
from app.gateway.events import EventLimits, read_events
from app.gateway.posting import Posting
from app.gateway.problems import Problem, answer, refused
from app.interests.state import Id
from app.observability import Metrics

_BODY_TIMEOUT_S: Final = 10.0
_DEFAULT_TTL_S: Final = 900
_MS_PER_S: Final = 1_000

SLOW_BODY: Final = Problem(408, "body_timeout", f"The body did not come within {_BODY_TIMEOUT_S:.0f} s.")
CUT_BODY: Final = Problem(400, "body_incomplete", "The connection ended before the body did.")


class TokenRequest(Struct, frozen=True):
    """Whom a token is for, and for how long."""

    user_id: Id
    ttl_s: int = _DEFAULT_TTL_S


class Token(Struct, frozen=True):
    """A token, and until when it is good (ms since 1970)."""

    token: str
    expires_ts_ms: int = field(name="expires_ts")


@dataclass(frozen=True, slots=True, eq=False)
class IntakeDesk:
    """What these endpoints work with; `clock_ms` is ms since 1970, `new_id` makes event ids."""

    doorkeeper: Doorkeeper
    posting: Posting
    limits: EventLimits
    max_body_bytes: int
    clock_ms: Callable[[], int]
    new_id: Callable[[], str]
    metrics: Metrics


class Intake:
    """See the module."""

    def __init__(self, desk: IntakeDesk) -> None:
        self._desk = desk

    async def events(self, request: Request) -> Response:
        """`POST /v1/events`: answered when Kafka has all of them."""
        desk = self._desk
        caller = desk.doorkeeper.caller(request.headers.get("authorization"))
        if isinstance(caller, Problem):
            return refused(caller)
        body = await self._body(request)
        if isinstance(body, Problem):
            return refused(body)
        events = read_events(body, caller, desk.limits, desk.clock_ms(), desk.new_id)
        if isinstance(events, Problem):
            return refused(events)
        desk.metrics.histogram(table.POST_EVENTS).observe(len(events))
        stored = await desk.posting.post(events)
        if isinstance(stored, Problem):
            return refused(stored)
        desk.metrics.counter(table.EVENTS).inc(len(stored))
        return answer({"accepted": len(stored), "events": stored})

    async def tokens(self, request: Request) -> Response:
        """`POST /v1/tokens`: a server asks for a visitor's token."""
        caller = self._desk.doorkeeper.caller(request.headers.get("authorization"))
        if isinstance(caller, Problem):
            return refused(caller)
        if not caller.is_server:
            return refused(Problem(403, "forbidden", "Only an API key gives out tokens."))
        body = await self._body(request)
        if isinstance(body, Problem):
            return refused(body)
        try:
            wanted = msgspec.json.decode(body, type=TokenRequest)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return refused(Problem(422, "invalid_token_request", str(error)))
        issued = self._desk.doorkeeper.issue(wanted.user_id, wanted.ttl_s)
        if isinstance(issued, Problem):
            return refused(issued)
        token, expires_s = issued
        return answer(Token(token, expires_s * _MS_PER_S))

    async def _body(self, request: Request) -> bytes | Problem:
        """The whole body, unless it is too large or too slow."""
        too_large = Problem(413, "body_too_large", f"A body has at most {self._desk.max_body_bytes} bytes.")
        told = request.headers.get("content-length", "")
        if told.isdigit() and int(told) > self._desk.max_body_bytes:
            return too_large
        body = bytearray()
        try:
            async with asyncio.timeout(_BODY_TIMEOUT_S):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > self._desk.max_body_bytes:
                        return too_large
        except TimeoutError:
            return SLOW_BODY
        except ClientDisconnect:
            return CUT_BODY
        return bytes(body)
