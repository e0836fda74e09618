"""The ASGI application: routes, and around all of them one layer that counts, times, logs and catches.

Middlewares of a framework would each cost every open stream a coroutine; one plain function does what is needed.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.gateway import metrics as table
from app.gateway.problems import Problem, refused
from app.observability import Metrics

PAGE: Final = Path(__file__).with_name("page")
_API_PREFIX: Final = "/v1/"
_STREAM_SUFFIX: Final = "/stream"
_PAGE_HEADERS: Final = [
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
        b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-cache"),  # asked again, answered with 304: after an update no module is an old one
]
_HIDDEN: Final = "***"

access_log = logging.getLogger("riverrun.gateway.access")
logger = logging.getLogger(__name__)

Endpoint = Callable[[Request], Any]


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """One path; `name` stands in metrics and in the documentation."""

    name: str
    method: str
    path: str
    endpoint: Endpoint


def make_application(
    api: Sequence[ApiRoute], metrics: Metrics, *, allowed_origins: Sequence[str], log_access: bool
) -> ASGIApp:
    """Put the application together."""
    routes: list[BaseRoute] = [Route(each.path, each.endpoint, methods=[each.method], name=each.name) for each in api]
    routes.append(Mount("/", StaticFiles(directory=PAGE, html=True), name="page"))
    application = Starlette(routes=routes, exception_handlers={HTTPException: _as_problem})
    names: Mapping[Any, str] = {each.endpoint: each.name for each in api}
    observed: ASGIApp = _Observed(application, names, metrics, log_access)
    if allowed_origins:
        observed = CORSMiddleware(
            observed, allow_origins=allowed_origins, allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "Last-Event-ID"], expose_headers=["ETag", "Retry-After"],
        )  # fmt: skip
    return observed


class _Observed:
    """Counts, times and logs every request; the page gets its headers here."""

    def __init__(self, app: ASGIApp, names: Mapping[Any, str], metrics: Metrics, log_access: bool) -> None:
        self._app = app
        self._names = names
        self._metrics = metrics
        self._log_access = log_access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        began_s = time.perf_counter()
        status = 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if not scope["path"].startswith(_API_PREFIX):
                    message["headers"] = [*message["headers"], *_PAGE_HEADERS]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            self._note(scope, status, time.perf_counter() - began_s)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        name = self._names.get(scope.get("endpoint"), "page")
        self._metrics.counter(table.REQUESTS, name, str(status)).inc()
        if not scope["path"].endswith(_STREAM_SUFFIX):
            self._metrics.histogram(table.REQUEST_SECONDS, name).observe(seconds)
        if self._log_access:
            access_log.info("%s %s %d %.1f ms", scope["method"], _shown_path(scope), status, seconds * 1_000)


def _shown_path(scope: Scope) -> str:
    """The path and what was asked, without the token; a line end in either cannot end the log's line."""
    asked = parse_qsl(scope["query_string"].decode(errors="replace"), keep_blank_values=True)
    shown = urlencode([(name, _HIDDEN if name == "token" else value) for name, value in asked], safe="*,")
    path = quote(scope["path"])
    return f"{path}?{shown}" if shown else path


async def _as_problem(_request: Request, error: Exception) -> Response:
    """What the router refuses, in the shape of all errors."""
    if not isinstance(error, HTTPException):
        raise error
    codes = {404: "not_found", 405: "method_not_allowed"}
    return refused(Problem(error.status_code, codes.get(error.status_code, "refused"), f"{error.detail}."))
