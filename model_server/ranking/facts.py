"""What the catalog says of items, as numbers a ranker can compare."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.contracts.catalog import CatalogItem


@dataclass(frozen=True, slots=True, eq=False)
class ItemFacts:
    """Of N items: numbers of the narrowest, the next and the widest category and of the brand; prices, 0: not known."""

    types: NDArray[np.int32]
    categories: NDArray[np.int32]
    departments: NDArray[np.int32]
    brands: NDArray[np.int32]
    prices: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.types)


def facts_of(catalog: Sequence[CatalogItem]) -> ItemFacts:
    """Items without a category or brand share one number each."""
    return ItemFacts(
        types=_numbers(item.category for item in catalog),
        categories=_numbers(item.category[:-1] or item.category for item in catalog),
        departments=_numbers(item.category[:1] for item in catalog),
        brands=_numbers(item.brand for item in catalog),
        prices=np.array([item.price or 0.0 for item in catalog], dtype=np.float32),
    )


def _numbers(values: Iterable[object]) -> NDArray[np.int32]:
    seen: dict[object, int] = {}
    return np.array([seen.setdefault(value, len(seen)) for value in values], dtype=np.int32)
