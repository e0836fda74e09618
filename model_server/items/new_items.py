"""New items: sellable, and the model was not trained on them. They are found by what trained items lend them.

Written and read under the index's lock, but for `loans_for`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model_server.items.approximate import NOTHING
from model_server.items.borrowing import NEAREST, loans
from model_server.items.live_search import LiveSearch
from model_server.items.search import ExactSearch, Search
from model_server.items.tastes import Tastes


@dataclass(frozen=True, slots=True, eq=False)
class Lent:
    """(n, D), (n, K) and (n, K) of n new items, see `Loans`."""

    vectors: Tensor
    lenders: NDArray[np.int64]
    tastes: NDArray[np.float32]


class NewItems:
    """Which items are new, what each borrows, and the search over them.

    Args:
        popularity: (L,) how often each trained item was taken. Trained items have the first L slots.
        width: D, of a vector.
        approximate_from: from how many new items on the search is approximate; None: never.
    """

    def __init__(self, popularity: Tensor, width: int, approximate_from: int | None) -> None:
        self._popularity = popularity
        self._exact: ExactSearch | None = None  # made when a reader wants it
        self.slots: dict[str, int] = {}
        self.vectors = torch.zeros(0, width, device=popularity.device)  # by slot; zeros where an item is not new
        self.by_vector = LiveSearch(approximate_from)
        self.tastes = Tastes(min(NEAREST, len(popularity)))

    @torch.inference_mode()
    def loans_for(self, texts: Tensor, all_texts: Tensor, all_vectors: Tensor) -> Lent:
        """What items of these (n, T) texts borrow of (N, T) and (N, D) by slot; asks for no lock."""
        lenders = len(self._popularity)
        found = loans(texts, all_texts[:lenders])
        return Lent(
            found.vectors(all_vectors[:lenders]),
            found.lenders.cpu().numpy(),
            found.tastes(self._popularity).cpu().numpy(),
        )

    def put(self, item_ids: Sequence[str], slots: Sequence[int], lent: Lent) -> None:
        """These n items are new, or borrow anew."""
        self.slots.update(zip(item_ids, slots, strict=True))
        self.vectors[slots] = lent.vectors
        self.by_vector.put(slots, lent.vectors)
        self.tastes.put(slots, lent.lenders, lent.tastes)
        self._exact = None

    def drop(self, item_ids: Sequence[str]) -> None:
        """These are not for sale any more; those that are not new are no news."""
        gone = [self.slots.pop(item_id) for item_id in item_ids if item_id in self.slots]
        self.by_vector.drop(gone)
        self.tastes.drop(gone)
        self._exact = None

    def grow(self, capacity: int) -> None:
        """There are slots up to `capacity`, which is no smaller than before."""
        grown = self.vectors.new_zeros(capacity, self.vectors.shape[1])
        grown[: len(self.vectors)] = self.vectors
        self.vectors, self._exact = grown, None

    def search(self) -> Search | None:
        """By borrowed vectors; None where nothing is new."""
        return self.by_vector.over(self.vectors, self._exactly) if self.slots else None

    def _exactly(self) -> ExactSearch:
        if self._exact is None:
            device, slots = self.vectors.device, list(self.slots.values())
            rows = torch.full((len(self.vectors),), NOTHING, device=device)
            rows[slots] = torch.arange(len(slots), device=device)
            here = torch.tensor(slots, dtype=torch.int64, device=device)
            free = torch.zeros(len(slots), device=device)
            self._exact = ExactSearch(self.vectors[here], free, here, rows)
        return self._exact
