"""The endpoints for those who run riverrun or look into it: interests, figures, documentation."""

from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from app.gateway.documentation import STYLE, documentation_page
from app.gateway.doors import Doors
from app.gateway.interests import InterestsKeeper
from app.gateway.openapi import openapi_document
from app.gateway.pipeline import KEY, Pipeline
from app.gateway.problems import TOO_MANY_STREAMS, Problem, answer, refused
from app.gateway.response import EventStream, StreamTerms
from app.gateway.streams import Wanted

NOT_KEPT: Final = Problem(
    404, "interests_not_kept", "Set RIVERRUN_GATEWAY__KEEP_INTERESTS=true to keep what is known of users."
)
NOT_CONFIGURED: Final = Problem(
    404, "not_configured", "Set RIVERRUN_GATEWAY__SCRAPE to the /metrics addresses of agents and model server."
)
_ANYTHING: Final = Wanted("", expanded=False)


@dataclass(frozen=True, slots=True, eq=False)
class InsightsDesk:
    """What these endpoints work with; None where the settings leave it out."""

    doors: Doors
    interests: InterestsKeeper | None
    pipeline: Pipeline | None
    terms: StreamTerms
    max_streams: int


class Insights:
    """See the module."""

    def __init__(self, desk: InsightsDesk) -> None:
        self._desk = desk
        self._document = openapi_document(version("riverrun"))
        self._page = documentation_page(self._document)

    async def interests(self, request: Request) -> Response:
        """`GET /v1/users/{user_id}/interests`."""
        user_id: str = request.path_params["user_id"]
        if problem := self._desk.doors.to_user(request, user_id):
            return refused(problem)
        kept = self._desk.interests
        return refused(NOT_KEPT) if kept is None else answer(kept.view(user_id))

    async def pipeline(self, request: Request) -> Response:
        """`GET /v1/pipeline`."""
        if problem := self._desk.doors.to_servers(request):
            return refused(problem)
        pipeline = self._desk.pipeline
        return refused(NOT_CONFIGURED) if pipeline is None else answer(await pipeline.figures())

    async def pipeline_stream(self, request: Request) -> Response | EventStream:
        """`GET /v1/pipeline/stream`."""
        if problem := self._desk.doors.to_servers(request):
            return refused(problem)
        pipeline = self._desk.pipeline
        if pipeline is None:
            return refused(NOT_CONFIGURED)
        if len(self._desk.terms.listeners) >= self._desk.max_streams:
            return refused(TOO_MANY_STREAMS)
        return EventStream(self._desk.terms, KEY, _ANYTHING, partial(_look, pipeline))

    async def openapi(self, _request: Request) -> Response:
        """`GET /openapi.json`."""
        return answer(self._document)

    async def docs(self, _request: Request) -> Response:
        """`GET /docs`."""
        return Response(self._page, media_type="text/html")

    async def style(self, _request: Request) -> Response:
        """`GET /docs.css`."""
        return Response(STYLE, media_type="text/css")


def _look(pipeline: Pipeline) -> bytes:
    pipeline.want()
    return b""
