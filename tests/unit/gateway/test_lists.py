"""A kept message as a frontend gets it."""

import json
from typing import Any

import msgspec
from msgspec import Raw

from app.contracts.recommendations import Cause, Recommendations, RecommendedItem, encode_recommendations
from app.gateway.lists import ItemOf, ListView, encode_view, version_of, view_of
from app.gateway.replica import Row
from app.gateway.shapes import RecommendationList

ITEMS = (RecommendedItem("fargo", 0.9, "model", "Because you liked it"), RecommendedItem("gone", 0.1, "new", "New"))
MESSAGE = Recommendations(
    user_id="ann", recommendation_id="r1", state_version=7, requested_ts_ms=3, generated_ts_ms=4, model_version="v1",
    variant="default", cause=Cause("e1", 1, 2), lists={"home": ITEMS, "new": ()},
)  # fmt: skip
ROW = Row(7, 5, encode_recommendations(MESSAGE))


def shown(user_id: str, surface: str, row: Row | None, *, known: bool = True, item_of: ItemOf | None = None) -> Any:
    view = view_of(user_id, surface, row, known=known, item_of=item_of)
    assert isinstance(view, ListView)
    return json.loads(encode_view(view))


def test_a_list_has_its_whole_way_and_its_items() -> None:
    assert shown("ann", "home", ROW) == {
        "user_id": "ann", "known": True, "surface": "home", "surfaces": ["home", "new"], "recommendation_id": "r1",
        "state_version": 7, "generated_ts": 4, "model_version": "v1", "variant": "default",
        "cause": {"event_id": "e1", "ts": 1, "received_ts": 2}, "requested_ts": 3, "gateway_ts": 5,
        "items": [msgspec.to_builtins(item) for item in ITEMS],
    }  # fmt: skip


def test_expanded_items_say_what_a_page_shows_and_null_for_what_is_gone() -> None:
    items = shown("ann", "home", ROW, item_of={"fargo": Raw(b'{"title":"Fargo"}')}.get)["items"]
    assert [each["item"] for each in items] == [{"title": "Fargo"}, None]
    assert [each["item_id"] for each in items] == ["fargo", "gone"]


def test_a_newcomer_gets_the_newcomers_list_under_the_own_name() -> None:
    found = shown("bob", "home", ROW, known=False)
    assert (found["user_id"], found["known"], found["state_version"], found["cause"]) == ("bob", False, -1, None)
    assert len(found["items"]) == 2


def test_without_any_list_there_is_an_empty_one() -> None:
    found = shown("bob", "home", None, known=False)
    assert (found["known"], found["state_version"], found["items"]) == (False, -1, [])


def test_a_surface_that_is_not_there_gives_the_names_of_those_that_are() -> None:
    names = view_of("ann", "cart", ROW, known=True, item_of=None)
    assert not isinstance(names, ListView)
    assert set(names) == {"home", "new"}


def test_versions_are_read_and_rubbish_has_none() -> None:
    assert version_of(ROW.value) == 7
    assert [version_of(value) for value in (b"", b"{}", b"[]", b"\xff", b'{"state_version":"7"}')] == [None] * 5
    assert version_of(b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}") is None


def test_the_documented_shape_is_the_one_that_is_sent() -> None:
    sent = set(shown("ann", "home", ROW)) | {"reflects"}
    assert sent == set(RecommendationList.__struct_fields__)
    msgspec.convert(shown("ann", "home", ROW), RecommendationList)
