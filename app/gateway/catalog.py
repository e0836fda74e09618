"""The items there are, in memory: shown beside lists, looked up, searched by title."""

import random
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final

import msgspec
from msgspec import Raw, Struct

from app.contracts.catalog import (
    AttributeValue,
    CatalogItem,
    InvalidCatalogItem,
    decode_catalog_item,
    encode_catalog_item,
)
from app.gateway.replica import TopicRecord

_SEPARATOR: Final = "\n"
_encoder = msgspec.json.Encoder()


class ShownItem(Struct, frozen=True):
    """What a page shows of an item beside its place in a list."""

    title: str
    category: tuple[str, ...] = ()
    brand: str = ""
    price: float | None = None
    currency: str | None = None
    kind: str = ""
    attributes: Mapping[str, AttributeValue] = {}


class _Kept(Struct, frozen=True):
    whole: bytes
    shown: Raw
    title: str
    available: bool


class Catalog:
    """Filled from the `catalog` topic, from its beginning at every start."""

    def __init__(self) -> None:
        self._items: dict[str, _Kept] = {}
        self._titles: _Titles | None = None

    def __len__(self) -> int:
        return len(self._items)

    def take(self, records: Iterable[TopicRecord]) -> int:
        """Records in log order; gives the number of those that are no items."""
        unreadable = 0
        for record in records:
            item_id = (record.key or b"").decode(errors="replace")
            if record.value is None:
                self._replace(item_id, None)
                continue
            item = decode_catalog_item(record.value)
            if isinstance(item, InvalidCatalogItem) or item.item_id != item_id:
                unreadable += 1
            else:
                self._replace(item_id, _kept(item))
        return unreadable

    def _replace(self, item_id: str, kept: _Kept | None) -> None:
        """Of a million items the titles take a second to put in order, so a new price must not ask for that."""
        before = self._items.pop(item_id, None) if kept is None else self._items.get(item_id)
        if kept is not None:
            self._items[item_id] = kept
        if _searched(before) != _searched(kept):
            self._titles = None

    def clear(self) -> None:
        """Forget all of them."""
        self._items.clear()
        self._titles = None

    def shown(self, item_id: str) -> Raw | None:
        """What a page shows of it, as JSON."""
        kept = self._items.get(item_id)
        return None if kept is None else kept.shown

    def whole(self, item_id: str) -> Raw | None:
        """The item as the shop wrote it, but for its image embedding, as JSON."""
        kept = self._items.get(item_id)
        return None if kept is None else Raw(kept.whole)

    def wholes(self, item_ids: Iterable[str]) -> list[Raw]:
        """Those of these that there are, in their order."""
        return [whole for item_id in item_ids if (whole := self.whole(item_id)) is not None]

    def search(self, query: str, limit: int) -> list[str]:
        """Available items whose title holds this, whatever its case and accents: those that begin with it first."""
        return self._index().search(folded(query), limit)

    def sample(self, size: int, seed: int) -> list[str]:
        """Some available items; the same seed gives the same ones while the catalog stays."""
        ids = self._index().item_ids
        return random.Random(seed).sample(ids, min(size, len(ids)))  # noqa: S311  # for a page, not for a secret

    def _index(self) -> "_Titles":
        if self._titles is None:
            available = sorted((kept.title, item_id) for item_id, kept in self._items.items() if kept.available)
            self._titles = _Titles(available)
        return self._titles


class _Titles:
    """All titles as one text: searching it is one call, also for a million items."""

    def __init__(self, titles: Sequence[tuple[str, str]]) -> None:
        self.item_ids = [item_id for _, item_id in titles]
        self._text = _SEPARATOR + _SEPARATOR.join(title for title, _ in titles) + _SEPARATOR
        self._starts = list(accumulate((len(title) + 1 for title, _ in titles), initial=1))

    def search(self, wanted: str, limit: int) -> list[str]:
        if not wanted:
            return []
        found: dict[int, None] = {}
        for pattern in (_SEPARATOR + wanted, " " + wanted, wanted):
            for place in self._places(pattern, lambda: len(found) < limit):
                found[place] = None
        return [self.item_ids[place] for place in found]

    def _places(self, pattern: str, wanted: Callable[[], bool]) -> Iterator[int]:
        at = 0
        while wanted() and (at := self._text.find(pattern, at)) >= 0:
            place = bisect_right(self._starts, at + len(pattern) - 1) - 1
            yield place
            at = self._starts[place + 1] - 1  # the separator before the next title


def folded(text: str) -> str:
    """Without case, accents and line ends."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return " ".join("".join(letter for letter in plain if not unicodedata.combining(letter)).split())


def _searched(kept: _Kept | None) -> str | None:
    """The title that a search finds it by; None where none does."""
    return kept.title if kept is not None and kept.available else None


def _kept(item: CatalogItem) -> _Kept:
    shown = ShownItem(item.title, item.category, item.brand, item.price, item.currency, item.kind, item.attributes)
    whole = msgspec.structs.replace(item, image_embedding=None)  # thousands of numbers that no page shows
    return _Kept(encode_catalog_item(whole), Raw(_encoder.encode(shown)), folded(item.title), item.available)
