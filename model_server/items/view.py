"""What goes into the item index and what a scorer sees of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from app.contracts.catalog import Promotion
from model_server.items.rows import ItemRows
from model_server.items.search import Search
from model_server.items.tastes import TasteTable


class ItemTower(Protocol):
    """The half of the network that makes item vectors."""

    def item_vectors(self, rows: Tensor, texts: Tensor) -> Tensor:
        """(N,) rows of the ID table (`COLD` for none) and (N, T) text embeddings -> (N, D)."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainedItems:
    """The items that the model has learned an ID embedding for.

    Args:
        rows: item id -> row of the ID table.
        texts: (N, T) float32 text embeddings, by row.
        popularity: item id -> count at the training.
    """

    rows: Mapping[str, int]
    texts: NDArray[np.float32]
    popularity: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Listing:
    """A sellable item as the index takes it in; `promotions`: where it stands out now."""

    item_id: str
    title: str
    promotions: tuple[Promotion, ...] = ()


@dataclass(frozen=True, slots=True)
class ItemCounts:
    """How many items: known by vector, sellable, and sellable ones that the model was not trained on."""

    known: int
    sellable: int
    new: int


@dataclass(frozen=True, slots=True, eq=False)
class IndexView:
    """What a scorer reads while it holds the lock. N slots, one per item that has a vector.

    Args:
        vectors: (N, D) item vectors.
        vector_ids: (N,) int64, a number for each of these vectors that no other one ever had.
        texts: (N, T) text embeddings, float16.
        penalty: (N,) minus infinity where the item is not sellable, else 0.
        by_vector: finds sellable items by their vectors.
        new_items: finds sellable items that the model was not trained on, by the vectors that they borrow
            (model_server.items.borrowing); None where there are none.
        tastes: what users' own counts are worth to these.
        version: another number whenever ids, slots, titles or what is sellable have changed.
        ids: item id by slot.
        titles: title by slot; empty where the catalog gave none.
        position: item id -> slot.
        sellable: item id -> slot of the sellable items, the newest in the catalog last.
        rows: which row of the counts is which slot.
    """

    vectors: Tensor
    vector_ids: NDArray[np.int64]
    texts: Tensor
    penalty: Tensor
    by_vector: Search
    new_items: Search | None
    tastes: TasteTable
    version: int
    ids: Sequence[str]
    titles: Sequence[str]
    position: Mapping[str, int]
    sellable: dict[str, int]
    rows: ItemRows

    @property
    def hidden(self) -> Tensor:
        """(N,) bool, True where the item is not sellable."""
        return self.penalty.isinf()
