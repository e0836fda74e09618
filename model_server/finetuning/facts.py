"""What a catalog says of its items, as facts that people ask by: categories, brand, attributes, decade, title words."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.contracts.catalog import CatalogItem

_YEAR: Final = re.compile(r"\d{4}")
_WORD: Final = re.compile(r"[^\W\d_]{3,}")

Facts = tuple[str, ...]


def attributes_of(item: CatalogItem) -> Facts:
    """Categories, brand and attributes in words; a year is its decade."""
    said: list[str] = [*item.category, item.brand]
    for value in item.attributes.values():
        texts = value if isinstance(value, list) else [value] if isinstance(value, str) else []
        said += [f"{text[:3]}0s" if _YEAR.fullmatch(text) else text for text in texts]
    return tuple(dict.fromkeys(text.lower() for text in said if text))


def title_words(item: CatalogItem) -> Facts:
    """The words of the title, numbers left out."""
    return tuple(dict.fromkeys(_WORD.findall(item.title.lower())))


class Postings:
    """Fact -> the items of which it holds.

    Args:
        facts: of each of M items.
    """

    def __init__(self, facts: Sequence[Iterable[str]]) -> None:
        held: dict[str, list[int]] = defaultdict(list)
        for item, own in enumerate(facts):
            for fact in dict.fromkeys(own):
                held[fact].append(item)
        self._items = {fact: np.array(items, dtype=np.int64) for fact, items in held.items()}

    def with_all(self, facts: Sequence[str]) -> NDArray[np.int64]:
        """The items of which all of these hold, ascending."""
        rarest, *others = sorted((self._items[fact] for fact in facts), key=len)
        for items in others:
            rarest = np.intersect1d(rarest, items, assume_unique=True)
        return rarest
