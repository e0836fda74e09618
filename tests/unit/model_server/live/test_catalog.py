"""From catalog records to the index: in order, at once, and never stopped by bad ones."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from app.contracts.catalog import CatalogItem, Promotion, encode_catalog_item
from app.errors import DataError
from model_server.items.index import ItemIndex
from model_server.items.intake import CatalogNews, read_catalog
from model_server.items.shelf import Shelf
from model_server.registry.version import trained_items
from model_server.text.encoder import OnProgress
from tests.support.planted import WordEncoder, planted_model


@dataclass(frozen=True)
class Record:
    key: bytes | None
    value: bytes | None


def listed(item_id: str, title: str, *, available: bool = True) -> Record:
    return Record(item_id.encode(), encode_catalog_item(CatalogItem(item_id=item_id, title=title, available=available)))


def delisted(item_id: str) -> Record:
    return Record(item_id.encode(), None)


def news(*records: Record) -> CatalogNews:
    return read_catalog(records)


def test_the_newest_message_of_an_item_counts() -> None:
    read = news(listed("a", "one"), listed("b", "two"), listed("a", "three"), delisted("b"))
    assert {item_id: offer.text for item_id, offer in read.offers.items()} == {"a": "three"}
    assert read.withdrawn == ["b"]


def test_an_unavailable_item_is_withdrawn() -> None:
    assert news(listed("a", "one", available=False)).withdrawn == ["a"]


def test_what_is_promoted_is_known_as_long_as_it_is_for_sale_and_promoted() -> None:
    here, everywhere = Promotion(place="north", mailer=3), Promotion(display=1)
    items = [
        CatalogItem(item_id="a", title="one", promotions=(here,)),
        CatalogItem(item_id="b", title="two", on_promotion=True),
        CatalogItem(item_id="c", title="three"),
    ]
    offers = news(*[Record(item.item_id.encode(), encode_catalog_item(item)) for item in items]).offers
    listings = [offer.listing for offer in offers.values()]
    encoder = WordEncoder()
    model = planted_model({"a": "one"}, encoder)
    index = ItemIndex(model.network, trained_items(model), torch.device("cpu"))
    index.put(listings, encoder.encode([listing.title for listing in listings]))
    assert index.promoted() == {"a": (here,), "b": (everywhere,)}
    index.retitle([replace(listings[0], promotions=())])
    index.withdraw(["b"])
    assert index.promoted() == {}


def test_bad_messages_change_nothing_and_say_why() -> None:
    bad = [
        Record(b"a", b"{"),
        Record(b"a", b'{"item_id": "a"}'),
        Record(None, b"{}"),
        Record(b"b", listed("a", "x").value),
    ]
    read = news(listed("a", "one"), *bad)
    assert set(read.offers) == {"a"}
    assert len(read.invalid) == 4
    assert "title" in read.invalid[1]


class GatedEncoder(WordEncoder):
    """Waits for permission, as MiniLM waits for a CPU."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()

    def encode(self, texts: Sequence[str], on_progress: OnProgress | None = None) -> NDArray[np.float32]:
        assert self.gate.wait(10)
        return super().encode(texts, on_progress)


@asynccontextmanager
async def open_shelf(encoder: WordEncoder) -> AsyncIterator[tuple[Shelf, ItemIndex]]:
    model = planted_model({"t1": "red fish"}, WordEncoder())
    index = ItemIndex(model.network, trained_items(model), torch.device("cpu"))
    with Shelf(index, encoder) as shelf:
        encoding = asyncio.create_task(shelf.encode_forever())
        try:
            yield shelf, index
        finally:
            encoding.cancel()


async def settled(shelf: Shelf) -> None:
    async with asyncio.timeout(10):
        while shelf.unencoded:  # noqa: ASYNC110  # seen from outside, as the follower sees it
            await asyncio.sleep(0.005)
        await shelf.stock(news())  # the index's writer works in order


def titles(index: ItemIndex) -> dict[str, str]:
    with index.reading() as view:
        return {item_id: view.titles[slot] for item_id, slot in view.sellable.items()}


async def test_new_items_arrive_and_a_new_title_is_a_new_text() -> None:
    encoder = WordEncoder()
    async with open_shelf(encoder) as (shelf, index):
        await shelf.stock(news(listed("t1", "red fish"), listed("n1", "blue bird")))
        await settled(shelf)
        assert titles(index) == {"t1": "red fish", "n1": "blue bird"}
        await shelf.stock(news(listed("n1", "blue bird")))
        await settled(shelf)
        assert encoder.asked == ["red fish", "blue bird"]
        await shelf.stock(news(listed("n1", "green bird")))
        await settled(shelf)
        assert titles(index)["n1"] == "green bird"
        assert encoder.asked[-1] == "green bird"


async def test_a_delisting_does_not_wait_for_the_encoder_and_is_not_undone_by_it() -> None:
    encoder = GatedEncoder()
    async with open_shelf(encoder) as (shelf, index):
        encoder.gate.set()
        await shelf.stock(news(listed("t1", "red fish")))
        await settled(shelf)
        encoder.gate.clear()
        await shelf.stock(news(listed("n1", "one"), listed("n2", "two")))
        await asyncio.sleep(0.05)  # n1 and n2 are in the encoder's hands now
        await shelf.stock(news(delisted("t1"), delisted("n1")))
        assert titles(index) == {}
        encoder.gate.set()
        await settled(shelf)
        assert titles(index) == {"n2": "two"}


async def test_what_is_in_no_text_costs_no_place_in_the_queue() -> None:
    encoder = GatedEncoder()
    async with open_shelf(encoder) as (shelf, index):
        await shelf.stock(news(*(listed(f"n{number}", f"text {number}") for number in range(40))))
        await asyncio.sleep(0.05)  # the first 32 are in the encoder's hands
        at_first = shelf.unencoded_ids()
        await shelf.stock(news(listed("n0", "text 0"), listed("n33", "text 33"), listed("n34", "other text")))
        assert shelf.unencoded_ids() == at_first
        assert shelf.waits_for(["n33"])
        assert not shelf.waits_for(["t1"])
        encoder.gate.set()
        await settled(shelf)
        assert len(encoder.asked) == 40
        assert titles(index)["n34"] == "other text"


async def test_an_item_that_comes_back_is_sold_again() -> None:
    async with open_shelf(WordEncoder()) as (shelf, index):
        await shelf.stock(news(listed("n1", "one")))
        await settled(shelf)
        await shelf.stock(news(listed("n1", "one", available=False)))
        assert titles(index) == {}
        await shelf.stock(news(listed("n1", "one")))
        await settled(shelf)
        assert titles(index) == {"n1": "one"}


class MissingEncoder(WordEncoder):
    """Its weights cannot be fetched."""

    def encode(self, texts: Sequence[str], on_progress: OnProgress | None = None) -> NDArray[np.float32]:
        raise DataError("no network")


async def test_without_encoder_new_texts_wait_and_delistings_still_work() -> None:
    async with open_shelf(MissingEncoder()) as (shelf, index):
        await shelf.stock(news(listed("n1", "one"), listed("n2", "two")))
        await asyncio.sleep(0.05)
        assert shelf.unencoded == 2
        await shelf.stock(news(delisted("n1")))
        assert shelf.unencoded == 1
        assert titles(index) == {}
