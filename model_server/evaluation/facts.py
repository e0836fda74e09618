"""What the measures beyond accuracy know of the items: their categories, and how many people had each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from app.contracts.catalog import CatalogItem
from app.data.interactions import Interactions


@dataclass(frozen=True, slots=True, eq=False)
class ItemFacts:
    """Facts of N items.

    Args:
        categories: (N, G) sparse float64, p(g|i): an item's words of `CatalogItem.category` in equal parts; a row of
            zeros for an item without any. None where no item has one.
        information: (N,) bits, -log2 of the share of the training's users that had the item (Zhou et al., 2010), each
            count one larger so that it is finite for an item nobody had.
        popularity: (N,) how many of the training's events were of the item.
    """

    categories: csr_matrix | None
    information: NDArray[np.float64]
    popularity: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.popularity)


def item_facts(catalog: Sequence[CatalogItem], training: Interactions) -> ItemFacts:
    """The facts of these items, as the training part tells them."""
    pairs = np.unique(training.users.astype(np.int64) * len(catalog) + training.items)
    had = np.bincount(pairs % max(len(catalog), 1), minlength=len(catalog))
    users = max(len(np.unique(training.users)), 1)
    return ItemFacts(
        categories=_categories(catalog),
        information=-np.log2((had + 1) / (users + 1)),
        popularity=np.bincount(training.items, minlength=len(catalog)),
    )


def _categories(catalog: Sequence[CatalogItem]) -> csr_matrix | None:
    words = [tuple(dict.fromkeys(item.category)) for item in catalog]
    column_of = {word: column for column, word in enumerate(dict.fromkeys(word for each in words for word in each))}
    if not column_of:
        return None
    counts = np.array([len(each) for each in words])
    rows = np.repeat(np.arange(len(catalog)), counts)
    columns = [column_of[word] for each in words for word in each]
    return csr_matrix((1 / counts[rows], (rows, columns)), shape=(len(catalog), len(column_of)))
