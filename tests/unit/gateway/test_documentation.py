"""The documentation says what there is: every route, every type, nothing from elsewhere."""

from typing import Any, cast

from app.gateway.documentation import STYLE, documentation_page
from app.gateway.openapi import OPERATIONS, openapi_document, path_template
from app.gateway.routes import Desks, routes_of

UNDOCUMENTED = {"openapi", "docs", "style"}


class _Anything:
    def __getattr__(self, name: str) -> str:
        return name


def test_every_route_is_documented_and_nothing_else() -> None:
    anything = cast(Any, _Anything())
    routes = routes_of(Desks(anything, anything, anything, anything))
    there_are = {(each.name, each.method, path_template(each.path)) for each in routes if each.name not in UNDOCUMENTED}
    assert there_are == {(each.name, each.method, each.path) for each in OPERATIONS}


def test_every_reference_in_the_document_leads_somewhere() -> None:
    document = openapi_document("1.0")
    schemas = document["components"]["schemas"]
    found: list[str] = []

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            found.extend([node["$ref"]] if isinstance(node.get("$ref"), str) else [])
        for child in node.values() if isinstance(node, dict) else node if isinstance(node, list | tuple) else ():
            walk(child)

    walk(document)
    assert found
    assert {each.rpartition("/")[2] for each in found} <= set(schemas)
    assert document == openapi_document("1.0")


def test_the_page_shows_every_operation_and_fetches_nothing_from_elsewhere() -> None:
    page = documentation_page(openapi_document("1.0"))
    for operation in OPERATIONS:
        assert f"{operation.method} {operation.path}" in page
    assert "http://" not in page + STYLE
    assert "https://" not in page + STYLE
    assert "<script" not in page
    assert "style=" not in page
