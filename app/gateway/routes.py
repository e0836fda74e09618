"""Every path of the gateway but the page's files, and who answers there."""

from dataclasses import dataclass

from app.gateway.application import ApiRoute
from app.gateway.endpoints import ListEndpoints
from app.gateway.insights import Insights
from app.gateway.intake import Intake
from app.gateway.items import ItemEndpoints


@dataclass(frozen=True, slots=True, eq=False)
class Desks:
    """Who answers."""

    intake: Intake
    lists: ListEndpoints
    items: ItemEndpoints
    insights: Insights


def routes_of(desks: Desks) -> list[ApiRoute]:
    """All of them. An id may hold a slash, written `%2F`: hence `:path`."""
    user = "/v1/users/{user_id:path}"
    return [
        ApiRoute("events", "POST", "/v1/events", desks.intake.events),
        ApiRoute("tokens", "POST", "/v1/tokens", desks.intake.tokens),
        ApiRoute("recommendations", "GET", f"{user}/recommendations", desks.lists.recommendations),
        ApiRoute("stream", "GET", f"{user}/recommendations/stream", desks.lists.stream),
        ApiRoute("interests", "GET", f"{user}/interests", desks.insights.interests),
        ApiRoute("users", "GET", "/v1/users", desks.lists.users),
        ApiRoute("items", "GET", "/v1/items", desks.items.items),
        ApiRoute("item", "GET", "/v1/items/{item_id:path}", desks.items.item),
        ApiRoute("pipeline", "GET", "/v1/pipeline", desks.insights.pipeline),
        ApiRoute("pipeline_stream", "GET", "/v1/pipeline/stream", desks.insights.pipeline_stream),
        ApiRoute("readyz", "GET", "/readyz", desks.lists.readyz),
        ApiRoute("openapi", "GET", "/openapi.json", desks.insights.openapi),
        ApiRoute("docs", "GET", "/docs", desks.insights.docs),
        ApiRoute("style", "GET", "/docs.css", desks.insights.style),
    ]
