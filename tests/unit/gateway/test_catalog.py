"""The catalog: shown, looked up, searched without regard to case and accents, sampled."""

import json
from dataclasses import dataclass

import pytest

from app.contracts.catalog import CatalogItem, encode_catalog_item
from app.gateway.catalog import Catalog, folded

TITLES = {
    "amelie": "Amélie (2001)",
    "titanic": "Titanic (1997)",
    "raise": "Raise the Titanic (1980)",
    "fargo": "Fargo (1996)",
    "strasse": "Die STRASSE",
    "straße": "Straße  der\nLieder",
}


@dataclass(frozen=True)
class Record:
    key: bytes | None
    value: bytes | None
    offset: int = 0


def record(item: CatalogItem) -> Record:
    return Record(item.item_id.encode(), encode_catalog_item(item))


@pytest.fixture
def catalog() -> Catalog:
    filled = Catalog()
    filled.take(record(CatalogItem(item_id=item_id, title=title)) for item_id, title in TITLES.items())
    return filled


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("titanic", ["titanic", "raise"]),
        ("TITAN", ["titanic", "raise"]),
        ("amelie", ["amelie"]),
        ("mélIE", ["amelie"]),
        ("strasse", ["strasse", "straße"]),
        ("der lieder", ["straße"]),
        ("the titanic (1980)", ["raise"]),
        ("titanic raise", []),
        ("(1997)\nfargo", []),
        ("", []),
        ("  ", []),
    ],
)
def test_titles_are_found_by_any_part_those_that_begin_with_it_first(
    catalog: Catalog, query: str, found: list[str]
) -> None:
    assert sorted(catalog.search(query, 10)) == sorted(found)
    assert catalog.search(query, 1) == found[:1] or len(found) > 1


def test_whose_title_begins_with_the_query_comes_first(catalog: Catalog) -> None:
    assert catalog.search("titanic", 10) == ["titanic", "raise"]
    assert catalog.search("t", 2)[0] == "titanic"


def test_every_title_is_found_by_each_of_its_parts(catalog: Catalog) -> None:
    for item_id, title in TITLES.items():
        whole = folded(title)
        for start in range(len(whole)):
            part = whole[start:].strip()
            if part:
                assert item_id in catalog.search(part, 100)


def test_what_is_delisted_or_unavailable_is_not_found_and_what_is_changed_is(catalog: Catalog) -> None:
    catalog.take(
        [
            Record(b"fargo", None),
            record(CatalogItem(item_id="amelie", title="Amélie (2001)", available=False)),
            record(CatalogItem(item_id="titanic", title="A Night to Remember")),
        ]
    )
    assert [catalog.search(query, 9) for query in ("fargo", "amelie", "night")] == [[], [], ["titanic"]]
    assert catalog.whole("fargo") is None
    assert catalog.whole("amelie") is not None


def test_a_record_that_is_no_item_changes_nothing_and_is_counted(catalog: Catalog) -> None:
    bad = [Record(b"fargo", b"{"), Record(b"fargo", encode_catalog_item(CatalogItem(item_id="x", title="X")))]
    assert catalog.take(bad) == 2
    assert len(catalog) == len(TITLES)


def test_news_that_is_in_no_title_leaves_the_titles_as_they_are(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert catalog.search("titanic", 10) == ["titanic", "raise"]
    monkeypatch.setattr("app.gateway.catalog._Titles", None)  # nothing can be put in order again
    catalog.take([record(CatalogItem(item_id="titanic", title=TITLES["titanic"], price=3.5)), Record(b"x", b"{")])
    catalog.take([record(CatalogItem(item_id="new", title="Titanic II", available=False)), Record(b"new", None)])
    assert catalog.search("titanic", 10) == ["titanic", "raise"]


def test_a_sample_is_the_same_for_the_same_seed(catalog: Catalog) -> None:
    assert catalog.sample(3, seed=7) == catalog.sample(3, seed=7)
    assert sorted(catalog.sample(100, seed=1)) == sorted(TITLES)
    assert len({tuple(catalog.sample(3, seed=seed)) for seed in range(20)}) > 1


def test_items_are_shown_whole_but_for_their_embedding_and_in_short() -> None:
    catalog = Catalog()
    catalog.take([record(CatalogItem(item_id="a", title="A", price=3.5, description="Long", image_embedding=(0.5,)))])
    whole, shown = catalog.whole("a"), catalog.shown("a")
    assert whole is not None
    assert shown is not None
    assert json.loads(bytes(whole)) == {"item_id": "a", "title": "A", "price": 3.5, "description": "Long"}
    assert json.loads(bytes(shown)) == {
        "title": "A", "category": [], "brand": "", "price": 3.5, "currency": None, "kind": "product", "attributes": {},
    }  # fmt: skip
