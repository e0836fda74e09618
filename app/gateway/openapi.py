"""The API as an OpenAPI 3.1 document, made from the same types that the code encodes and decodes with. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from app.contracts.asyncapi import settle
from app.contracts.catalog import CatalogItem
from app.contracts.events import PublicEvent
from app.gateway.figures import Figures
from app.gateway.intake import Token, TokenRequest
from app.gateway.interests import InterestsView
from app.gateway.shapes import Accepted, Error, Items, Readiness, RecommendationList, Users

_REF_TEMPLATE: Final = "#/components/schemas/{name}"
_JSON: Final = "application/json"
_SSE: Final = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a path or query takes; those in the path are required."""

    name: str
    meaning: str
    place: str = "query"
    kind: str = "string"  # or integer, or array: of strings, and the parameter is repeated


@dataclass(frozen=True, slots=True)
class Operation:
    """One endpoint, for people and for generators.

    Attributes:
        answer: the type of a 200's JSON; None: a page.
        body: the type that is sent.
        refusals: status -> when.
        streams: whether the answer is a stream of events, each with such JSON.
        server_only: whether a visitor's token is not enough.
    """

    name: str
    method: str
    path: str
    summary: str
    answer: Any = None
    body: Any = None
    parameters: Sequence[Parameter] = ()
    refusals: Mapping[int, str] = field(default_factory=dict)
    streams: bool = False
    server_only: bool = False
    open: bool = False


_USER: Final = Parameter("user_id", "the visitor", "path")
_SURFACE: Final = Parameter("surface", "which list; default: home")
_EXPAND: Final = Parameter("expand", "items: with what a page shows of each item")
_ACCESS: Final = {401: "no or no valid key or token", 403: "not with this token"}
_NOT_READY: Final = {503: "still reading the newest lists; Retry-After"}
_NO_SURFACE: Final = {404: "no such surface; the message names those there are"}

OPERATIONS: Final = (
    Operation(
        "events", "POST", "/v1/events",
        "Send what visitors do: one event or up to 500. Answered when Kafka has all of them; all or nothing is sent.",
        answer=Accepted, body=PublicEvent | list[PublicEvent],
        refusals=_ACCESS | {
            400: "no JSON", 408: "the body came too slowly", 413: "too large, or too many",
            422: "an event is wrong; field and index say where", 429: "too many events wait; Retry-After",
            503: "Kafka did not take them in time; Retry-After",
        },
    ),
    Operation(
        "tokens", "POST", "/v1/tokens", "Give a visitor's browser a short-lived token.", answer=Token,
        body=TokenRequest, refusals=_ACCESS | {404: "no secret is set to sign with", 422: "the request is wrong"},
        server_only=True,
    ),
    Operation(
        "recommendations", "GET", "/v1/users/{user_id}/recommendations", "A user's newest list of one surface.",
        answer=RecommendationList,
        parameters=(
            _USER, _SURFACE, _EXPAND,
            Parameter(
                "wait_for",
                "an event id: answer as soon as the list knows of that event; of an identify: that it happened, what "
                "the visitor did before follows with a later list",
            ),
            Parameter("offset", "where that event lies, as POST /v1/events said", kind="integer"),
            Parameter("timeout_ms", "how long to wait for that at most, 0 to 10000; default: 500", kind="integer"),
        ),
        refusals=_ACCESS | _NOT_READY | _NO_SURFACE,
    ),
    Operation(
        "stream", "GET", "/v1/users/{user_id}/recommendations/stream",
        "The newest list at once, and each newer one as it comes (server-sent events). `id` is the state version; "
        "with Last-Event-ID only what is newer is sent. `event: forgotten` when the user was erased.",
        answer=RecommendationList,
        parameters=(_USER, _SURFACE, _EXPAND, Parameter("token", "for EventSource, which can send no headers")),
        refusals=_ACCESS | _NO_SURFACE | {503: "not ready, or too many streams; Retry-After"}, streams=True,
    ),
    Operation(
        "interests", "GET", "/v1/users/{user_id}/interests", "What is known of a user, newest first.",
        answer=InterestsView, parameters=(_USER,), refusals=_ACCESS | _NOT_READY | {404: "interests are not kept"},
    ),
    Operation(
        "users", "GET", "/v1/users", "Users whose lists changed most recently.", answer=Users,
        parameters=(Parameter("limit", "1 to 1000; default: 24", kind="integer"),), refusals=_ACCESS, server_only=True,
    ),
    Operation(
        "items", "GET", "/v1/items", "Items by id, by title, or some: one of ids, id, query, sample.", answer=Items,
        parameters=(
            Parameter("ids", "up to 100, comma-separated; those there are come back, in this order"),
            Parameter("id", "one of them, given as often as there are: for ids that have a comma", kind="array"),
            Parameter("query", "a part of the title, whatever its case and accents"),
            Parameter("limit", "most items found by query, 1 to 100; default: 20", kind="integer"),
            Parameter("sample", "so many available items, 1 to 100", kind="integer"),
            Parameter("seed", "the same seed, the same sample", kind="integer"),
        ),
        refusals=_ACCESS | {422: "no or a wrong parameter"},
    ),
    Operation(
        "item", "GET", "/v1/items/{item_id}", "An item of the catalog.", answer=CatalogItem,
        parameters=(Parameter("item_id", "as in the catalog", "path"),),
        refusals=_ACCESS | {404: "the catalog has no such item"},
    ),
    Operation(
        "pipeline", "GET", "/v1/pipeline", "How the pipeline is doing.", answer=Figures,
        refusals=_ACCESS | {404: "nothing to scrape is set"}, server_only=True,
    ),
    Operation(
        "pipeline_stream", "GET", "/v1/pipeline/stream", "The same, once a second (server-sent events).",
        answer=Figures, refusals=_ACCESS | {404: "nothing to scrape is set", 503: "too many streams"}, streams=True,
        server_only=True,
    ),
    Operation(
        "readyz", "GET", "/readyz", "For load balancers.", answer=Readiness, refusals={503: "not now"}, open=True,
    ),
)  # fmt: skip


def openapi_document(version: str) -> dict[str, Any]:
    """Make the document; `version` is riverrun's."""
    types = [*dict.fromkeys(each for one in OPERATIONS for each in (one.answer, one.body) if each is not None), Error]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF_TEMPLATE)
    settle([schemas, components])
    schema_of = dict(zip(types, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "riverrun gateway",
            "version": version,
            "description": "Events in, fresh recommendations out. Times are milliseconds since 1970, UTC.",
            "license": {"name": "Apache-2.0"},
        },
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "an API key, or a visitor's token"}
            },
            "schemas": components,
        },
    }


def _operation(operation: Operation, schema_of: Mapping[Any, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [_parameter(each) for each in operation.parameters],
        "responses": {
            "200": _response("done", schema_of[operation.answer], _SSE if operation.streams else _JSON),
            **{str(status): _response(when, schema_of[Error]) for status, when in sorted(operation.refusals.items())},
        },
    }
    if operation.body is not None:
        told["requestBody"] = {"required": True, "content": {_JSON: {"schema": schema_of[operation.body]}}}
    if operation.open:
        told["security"] = []
    elif operation.server_only:
        told["description"] = "Needs an API key."
    return told


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.meaning,
        "required": parameter.place == "path",
        "schema": {"type": parameter.kind} | ({"items": {"type": "string"}} if parameter.kind == "array" else {}),
    }


def _response(when: str, schema: Any, kind: str = _JSON) -> dict[str, Any]:
    return {"description": when, "content": {kind: {"schema": schema}}}


def path_template(route_path: str) -> str:
    """A route's path without the converters of the framework: `{user_id:path}` -> `{user_id}`."""
    return re.sub(r":\w+}", "}", route_path)
