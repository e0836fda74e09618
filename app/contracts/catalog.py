"""The items there are: the messages of the `catalog` topic (JSON, key = item id; a null value delists)."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from app.contracts.events import Price, Text
from app.interests.state import Id, TimestampMs

SCHEMA_VERSION: Final = 1

AttributeValue = str | float | bool | list[str]


_Position = Annotated[int, Meta(ge=0, le=127)]


class Promotion(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An item stands out somewhere now. Without a `place`: everywhere.

    `display` and `mailer` say where in the shop and in the leaflet, as the shop numbers it; 0: not there.
    """

    place: Id | None = None
    display: _Position = 0
    mailer: _Position = 0


class CatalogItem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One item as the shop knows it; `category` goes from the widest to the narrowest.

    `promotions` says where it is promoted now; a shop that knows no more than that says `on_promotion`.
    """

    item_id: Id
    kind: Id = "product"
    title: Text
    description: Annotated[str, Meta(max_length=20_000)] = ""
    category: tuple[str, ...] = ()
    brand: str = ""
    price: Price | None = None
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")] | None = None
    attributes: dict[str, AttributeValue] = {}
    image_embedding: tuple[float, ...] | None = None
    available: bool = True
    on_promotion: bool = False
    promotions: Annotated[tuple[Promotion, ...], Meta(max_length=10_000)] = ()
    created_ts_ms: TimestampMs | None = msgspec.field(name="created_ts", default=None)


class InvalidCatalogItem(Struct, frozen=True):
    """Why bytes are no catalog item."""

    reason: str


_decoder = msgspec.json.Decoder(CatalogItem)
_encoder = msgspec.json.Encoder()


def decode_catalog_item(value: bytes) -> CatalogItem | InvalidCatalogItem:
    """The item in these bytes, or what is wrong with them. Never raises for bad data."""
    try:
        return _decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return InvalidCatalogItem(reason=str(error))


def encode_catalog_item(item: CatalogItem) -> bytes:
    """The item as JSON bytes."""
    return _encoder.encode(item)


_PROMOTED: Final = (Promotion(display=1),)


def promotions_of(item: CatalogItem) -> tuple[Promotion, ...]:
    """Where the item is promoted; displayed everywhere where the shop says no more than that it is."""
    return item.promotions or (_PROMOTED if item.on_promotion else ())


def item_text(item: CatalogItem) -> str:
    """What the text encoder reads of an item: title, categories, brand, attributes, description, in this order."""
    attributes = ", ".join(f"{name}: {_plain(value)}" for name, value in sorted(item.attributes.items()))
    parts = (item.title, ", ".join(item.category), item.brand, attributes, item.description)
    return ". ".join(part for part in parts if part)


def _plain(value: AttributeValue) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)
