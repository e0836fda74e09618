"""The items that challengers read about: those of the past, then whatever the topic says.

An item that is no longer sold is forgotten with its text; what was done to it is still learned from.
"""

from collections.abc import Iterable

from app.contracts.catalog import CatalogItem, InvalidCatalogItem, decode_catalog_item
from model_server.items.intake import CatalogRecord


class KeptCatalog:
    """The newest description of each item.

    Args:
        past: of the data that the store began with.
    """

    def __init__(self, past: Iterable[CatalogItem]) -> None:
        self._items = {item.item_id: item for item in past}

    def take(self, records: Iterable[CatalogRecord]) -> None:
        """The topic's next records; what is no item changes nothing, and the model server complains of it."""
        for record in records:
            if record.key is not None and record.value is None:
                self._items.pop(record.key.decode(errors="replace"), None)
            elif record.key is not None and record.value is not None:
                item = decode_catalog_item(record.value)
                if not isinstance(item, InvalidCatalogItem) and item.item_id.encode() == record.key:
                    self._items[item.item_id] = item

    def items(self) -> tuple[CatalogItem, ...]:
        """All of them."""
        return tuple(self._items.values())
