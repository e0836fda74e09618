"""Items are looked up by whatever id a shop has."""

import json
from dataclasses import dataclass

import msgspec
from starlette.requests import Request

from app.contracts.catalog import CatalogItem
from app.gateway.auth import AccessRules, Doorkeeper
from app.gateway.catalog import Catalog
from app.gateway.doors import Doors
from app.gateway.health import Health
from app.gateway.items import MAX_ITEMS, ItemEndpoints


@dataclass(frozen=True)
class Record:
    key: bytes
    value: bytes
    offset: int


async def found(query: str) -> tuple[int, list[str]]:
    """The status, and the ids of what came back."""
    catalog = Catalog()
    catalog.take(
        Record(item_id.encode(), msgspec.json.encode(CatalogItem(item_id=item_id, title=item_id)), offset)
        for offset, item_id in enumerate(("tea", "cup", "tea,green"))
    )
    rules = AccessRules(open_access=True, keys=(), token_secret="", max_ttl_s=1)
    items = ItemEndpoints(Doors(Doorkeeper(rules, lambda: 0.0), Health(lambda: 0.0, {})), catalog)
    answer = await items.items(Request({"type": "http", "headers": [], "query_string": query.encode()}))
    return answer.status_code, [each["item_id"] for each in json.loads(bytes(answer.body)).get("items", [])]


async def test_ids_are_told_apart_by_commas() -> None:
    assert await found("ids=cup,nothing,tea") == (200, ["cup", "tea"])


async def test_an_id_with_a_comma_is_given_by_itself() -> None:
    assert await found("id=tea%2Cgreen&id=cup") == (200, ["tea,green", "cup"])


async def test_there_is_an_end_to_them() -> None:
    assert (await found("&".join(["id=tea"] * (MAX_ITEMS + 1))))[0] == 422
