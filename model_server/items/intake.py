"""What a batch of catalog records says, the newest message of each item. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from app.contracts.catalog import CatalogItem, InvalidCatalogItem, decode_catalog_item, item_text, promotions_of
from model_server.items.view import Listing


class CatalogRecord(Protocol):
    """A record of the `catalog` topic as a Kafka client hands it over."""

    @property
    def key(self) -> bytes | None:
        """The item id."""

    @property
    def value(self) -> bytes | None:
        """The item as JSON; None delists it."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A sellable item and the text to encode."""

    listing: Listing
    text: str


@dataclass(frozen=True, slots=True)
class CatalogNews:
    """The newest of each item: offered, or withdrawn (delisted or not available); and why records were no use."""

    offers: dict[str, Offer]
    withdrawn: list[str]
    invalid: list[str]


def read_catalog(records: Iterable[CatalogRecord]) -> CatalogNews:
    """Sort out records, given in log order. A record that is no item changes nothing: the item stays as it was."""
    newest: dict[str, Offer | None] = {}
    invalid: list[str] = []
    for record in records:
        if record.key is None:
            invalid.append("the record has no key; it must be the item id")
        elif record.value is None:
            newest[record.key.decode(errors="replace")] = None
        else:
            item = decode_catalog_item(record.value)
            if isinstance(item, InvalidCatalogItem):
                invalid.append(item.reason)
            elif item.item_id.encode() != record.key:
                invalid.append("the record's key is not the item's item_id")
            else:
                newest[item.item_id] = _offer(item) if item.available else None
    offers = {item_id: offer for item_id, offer in newest.items() if offer is not None}
    return CatalogNews(offers, [item_id for item_id, offer in newest.items() if offer is None], invalid)


def _offer(item: CatalogItem) -> Offer:
    return Offer(Listing(item.item_id, item.title, promotions_of(item)), item_text(item))
