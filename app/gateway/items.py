"""The endpoints for items."""

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from app.gateway.catalog import Catalog
from app.gateway.doors import Doors
from app.gateway.problems import Problem, answer, refused
from app.gateway.query import number

MAX_ITEMS: Final = 100
_DEFAULT_FOUND: Final = 20
_DEFAULT_SAMPLE: Final = 24
_MAX_SEED: Final = 1 << 53

NO_ITEM: Final = Problem(404, "unknown_item", "The catalog has no such item.")
ASK_FOR_ITEMS: Final = Problem(422, "invalid_request", "Say ids=a,b,c or id=a&id=b or query=... or sample=24.")


class ItemEndpoints:
    """See the module."""

    def __init__(self, doors: Doors, catalog: Catalog) -> None:
        self._doors = doors
        self._catalog = catalog

    async def item(self, request: Request) -> Response:
        """`GET /v1/items/{item_id}`."""
        if problem := self._doors.to_all(request):
            return refused(problem)
        whole = self._catalog.whole(request.path_params["item_id"])
        return refused(NO_ITEM) if whole is None else answer(whole)

    async def items(self, request: Request) -> Response:
        """`GET /v1/items?ids=` or `?id=` or `?query=` or `?sample=`."""
        if problem := self._doors.to_all(request):
            return refused(problem)
        found = self._found(request)
        return refused(found) if isinstance(found, Problem) else answer({"items": self._catalog.wholes(found)})

    def _found(self, request: Request) -> list[str] | Problem:
        asked = request.query_params
        if "ids" in asked or "id" in asked:
            return _ids([*asked.get("ids", "").split(","), *asked.getlist("id")])
        if "query" in asked:
            limit = number(request, "limit", _DEFAULT_FOUND, 1, MAX_ITEMS)
            return limit if isinstance(limit, Problem) else self._catalog.search(asked["query"], limit)
        if "sample" in asked:
            size = number(request, "sample", _DEFAULT_SAMPLE, 1, MAX_ITEMS)
            seed = number(request, "seed", 0, 0, _MAX_SEED)
            if isinstance(size, Problem):
                return size
            return seed if isinstance(seed, Problem) else self._catalog.sample(size, seed)
        return ASK_FOR_ITEMS


def _ids(given: Sequence[str]) -> list[str] | Problem:
    ids = [each for each in given if each]
    if len(ids) > MAX_ITEMS:
        return Problem(422, "invalid_request", f"{len(ids)} ids; at most {MAX_ITEMS}.", "ids")
    return ids
