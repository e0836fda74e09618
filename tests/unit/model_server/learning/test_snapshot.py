"""A snapshot is a data set that every command reads; its live rows are in the order in which they came."""

from pathlib import Path

import pytest

from app.contracts.catalog import CatalogItem, encode_catalog_item
from app.data.formats.names import Format
from app.data.formats.registry import recognise
from app.data.interactions import Dataset
from app.data.source import DataSource, open_dataset
from app.errors import DataError
from app.interests.state import Kind
from model_server.learning.catalog import KeptCatalog
from model_server.learning.snapshot import Extent, write_snapshot
from model_server.learning.store import EventStore
from tests.support.learning import NOW_MS, PLENTY, CatalogLine, Log, forget, view

ITEMS = (CatalogItem(item_id="a", title="Apple", category=("fruit",)), CatalogItem(item_id="z", title="Unseen"))


def read(folder: Path) -> Dataset:
    return open_dataset(DataSource(str(folder)), folder.parent, lambda _: None)


def happened(dataset: Dataset) -> list[tuple[str, str]]:
    log = dataset.interactions
    return [(log.user_ids[user], log.item_ids[item]) for user, item in zip(log.users, log.items, strict=True)]


@pytest.fixture
def store(tmp_path: Path) -> EventStore:
    store = EventStore(tmp_path / "store", PLENTY)
    log = Log(store)
    log.happen(view("ann", "a", "1", NOW_MS - 9), view("bob", "b", "2", NOW_MS - 5))
    log.happen(view("ann", "c", "3", NOW_MS - 8))
    log.happen(view("bob", "d", "4", NOW_MS - 1))
    return store


def test_it_is_recognised_and_holds_events_and_items(tmp_path: Path, store: EventStore) -> None:
    assert write_snapshot(store, tmp_path / "kept", ITEMS, Extent.below(2)) == 0
    assert recognise(tmp_path / "kept") is Format.KEPT
    dataset = read(tmp_path / "kept")
    assert happened(dataset) == [("ann", "a"), ("bob", "b")]
    assert dataset.catalog == (*ITEMS, CatalogItem(item_id="b", title="b"))
    assert dataset.interactions.kinds.tolist() == [Kind.VIEW, Kind.VIEW]
    assert dataset.interactions.places is None


def test_live_rows_come_last_in_the_order_in_which_they_came(tmp_path: Path, store: EventStore) -> None:
    """The third came late: by its own time it would stand before the second, whose prediction would then know it."""
    assert write_snapshot(store, tmp_path / "kept", ITEMS, Extent(until=4, live_from=2)) == 2
    assert [item for _, item in happened(read(tmp_path / "kept"))] == ["a", "b", "c", "d"]
    write_snapshot(store, tmp_path / "kept", ITEMS, Extent.below(4))
    assert [item for _, item in happened(read(tmp_path / "kept"))] == ["a", "c", "b", "d"]


def test_forgotten_users_are_in_no_snapshot(tmp_path: Path, store: EventStore) -> None:
    Log(store, partition=1).happen(forget("ann"))
    assert write_snapshot(store, tmp_path / "kept", ITEMS, Extent(until=4, live_from=2)) == 1
    assert happened(read(tmp_path / "kept")) == [("bob", "b"), ("bob", "d")]
    assert b"ann" not in (tmp_path / "kept" / "events.parquet").read_bytes()


def test_a_damaged_snapshot_is_said(tmp_path: Path, store: EventStore) -> None:
    write_snapshot(store, tmp_path / "kept", ITEMS, Extent.below(4))
    (tmp_path / "kept" / "catalog.jsonl").write_text('{"item_id":"a"}\n')
    with pytest.raises(DataError, match=r"catalog.jsonl line 1"):
        read(tmp_path / "kept")
    (tmp_path / "kept" / "events.parquet").write_bytes(b"no")
    with pytest.raises(DataError, match=r"events.parquet"):
        read(tmp_path / "kept")


def test_the_catalog_keeps_the_newest_of_each_item() -> None:
    catalog = KeptCatalog(ITEMS)
    pear = CatalogItem(item_id="a", title="Pear")
    catalog.take(
        [
            CatalogLine(b"a", encode_catalog_item(pear)),
            CatalogLine(b"b", encode_catalog_item(pear)),  # under a wrong key
            CatalogLine(b"c", b"{"),
            CatalogLine(None, None),
            CatalogLine(b"z", None),
        ]
    )
    assert catalog.items() == (pear,)
