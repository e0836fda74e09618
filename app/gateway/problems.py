"""What the gateway says when it does not do what it was asked: one shape for all errors."""

from typing import Any, Final

import msgspec
from msgspec import Struct
from starlette.responses import Response

JSON_TYPE: Final = "application/json"
_encode = msgspec.json.Encoder().encode


class Problem(Struct, frozen=True, omit_defaults=True):
    """A refusal: a value that a function returns instead of what was asked for.

    Attributes:
        status: of HTTP.
        code: for programs.
        message: for people: what was got, what was wanted.
        field: of the event, where one is to blame.
        index: of the event in its batch.
        retry_after_s: when asking again may help.
    """

    status: int
    code: str
    message: str
    field: str = ""
    index: int | None = None
    retry_after_s: int | None = None


NOT_READY: Final = Problem(503, "not_ready", "The gateway is still reading the newest lists.", retry_after_s=1)
TOO_MANY_STREAMS: Final = Problem(503, "too_many_streams", "No more streams can be opened here.", retry_after_s=5)


def refused(problem: Problem) -> Response:
    """The answer that says so."""
    told: dict[str, Any] = {"code": problem.code, "message": problem.message}
    if problem.field:
        told["field"] = problem.field
    if problem.index is not None:
        told["index"] = problem.index
    headers = {} if problem.retry_after_s is None else {"Retry-After": str(problem.retry_after_s)}
    if problem.status == 401:  # noqa: PLR2004  # HTTP's own number
        headers["WWW-Authenticate"] = "Bearer"
    return Response(_encode({"error": told}), problem.status, headers, JSON_TYPE)


def answer(value: Any, status: int = 200) -> Response:
    """A value as JSON."""
    return Response(_encode(value), status, {"Cache-Control": "no-store"}, JSON_TYPE)
