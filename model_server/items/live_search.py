"""A search that grows with the shop: exact for thousands of items, approximate for a million.

Written and made anew by one thread (the index's writer), read under the index's lock.
"""

from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from model_server.items.approximate import ApproximateIndex
from model_server.items.search import ApproximateSearch, ExactSearch, Search


class LiveSearch:
    """Which search there is, and the approximate index where there is one.

    Args:
        approximate_from: from how many slots on the search is approximate; None: never.
    """

    def __init__(self, approximate_from: int | None) -> None:
        self._from = approximate_from
        self._index: ApproximateIndex | None = None

    def put(self, slots: Sequence[int], vectors: Tensor) -> None:
        """These slots may be found from now on, by these (n, D) vectors."""
        if self._index is not None and len(slots):
            self._index.put(np.asarray(slots, np.int64), vectors.float().numpy())

    def drop(self, slots: Sequence[int]) -> None:
        """These may not be found any more."""
        if self._index is not None and len(slots):
            self._index.drop(np.asarray(slots, np.int64))

    def wants_index(self, count: int) -> bool:
        """Whether an index of `count` slots should be made: there is none for so many, or it is outgrown."""
        if self._from is None or count < self._from:
            return False
        return self._index is None or self._index.outgrown

    def take_over(self, index: ApproximateIndex | None) -> None:
        """Search by this index from now on; None: exactly."""
        self._index = index

    def shrunk(self, count: int) -> bool:
        """Whether so few slots are left that the index only gets in the way."""
        return self._index is not None and self._from is not None and count < self._from // 2

    def over(self, vectors: Tensor, exact: Callable[[], ExactSearch]) -> Search:
        """The search over (N, D) vectors by slot; `exact` makes the exact one over the same slots."""
        if self._index is None:
            return exact()
        return ApproximateSearch(self._index, vectors, exact)
