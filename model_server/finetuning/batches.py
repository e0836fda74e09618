"""Batches of pairs (two items, or a query and an item), with hard negatives and what must not count as one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from model_server.finetuning.covisits import CoVisits
from model_server.finetuning.queries import Query

_NEAREST: Final = 20  # texts among which a hard negative is drawn
_ROWS_AT_ONCE: Final = 512


@dataclass(frozen=True, slots=True, eq=False)
class PairBatch:
    """B pairs and H negatives, by rows of the table of texts: M items, then the queries.

    Args:
        left: (B,) items or queries.
        right: (B + H,) items: the partners, then the hard negatives.
        also_right: (B, B + H) which are no negatives.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    also_right: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Sizes:
    """Of a batch: pairs, of them of a query, and hard negatives."""

    pairs: int
    of_queries: int
    hard: int


class Batches:
    """Draws batches.

    Args:
        covisits: of the M items; those held out have none.
        queries: to learn from, about items that are not held out.
        twins: (M,) items with the same number say the same of themselves.
        warm: the items that are not held out.
        sizes: of a batch.
    """

    def __init__(
        self,
        covisits: CoVisits,
        queries: Sequence[Query],
        twins: NDArray[np.int64],
        warm: NDArray[np.int64],
        sizes: Sizes,
    ) -> None:
        self._covisits = covisits
        self._warm = warm
        allowed = np.zeros(len(twins), dtype=np.bool_)
        allowed[warm] = True
        self._answers = [query.answers[allowed[query.answers]] for query in queries]
        self._sizes = sizes
        self._fits = _fits(covisits, self._answers, len(twins))
        self._twins = np.concatenate([twins, np.full(len(queries), -1)])

    @property
    def learnable(self) -> bool:
        """Whether there are pairs of items to learn from."""
        return bool(self._covisits.likeness.nnz)

    def nearest(self, vectors: NDArray[np.float32]) -> NDArray[np.int64]:
        """(M, 20) the items whose texts lie nearest to each one's, by the (M, D) vectors of now."""
        candidates = vectors[self._warm]
        count = min(_NEAREST + 1, len(candidates))
        near = []
        for start in range(0, len(vectors), _ROWS_AT_ONCE):
            scores = vectors[start : start + _ROWS_AT_ONCE] @ candidates.T
            near.append(np.argpartition(-scores, count - 1, axis=1)[:, :count])
        found: NDArray[np.int64] = self._warm[np.concatenate(near)]
        return found

    def draw(self, nearest: NDArray[np.int64], rng: np.random.Generator) -> PairBatch:
        """The next one; `nearest` is what `nearest` gave."""
        items = len(self._fits.indptr) - 1 - len(self._answers)
        of_queries = self._sizes.of_queries if self._answers else 0
        asked = rng.integers(len(self._answers), size=of_queries) if of_queries else np.zeros(0, np.int64)
        found = [int(rng.choice(self._answers[query])) for query in asked.tolist()]
        firsts, seconds = self._covisits.draw(self._sizes.pairs - of_queries, rng)
        left = np.concatenate([asked + items, firsts])
        partners = np.concatenate([np.array(found, dtype=np.int64), seconds])
        near_to = rng.choice(partners, size=self._sizes.hard)
        hard = nearest[near_to, rng.integers(nearest.shape[1], size=len(near_to))]
        right = np.concatenate([partners, hard])
        also_right = self._fits[left][:, right].toarray() > 0
        also_right |= right[None, :] == partners[:, None]
        also_right |= self._twins[right][None, :] == self._twins[partners][:, None]
        also_right |= right[None, :] == left[:, None]
        return PairBatch(left, right, also_right)


def _fits(covisits: CoVisits, answers: Sequence[NDArray[np.int64]], items: int) -> sparse.csr_array:
    """(M + Q, M) nonzero where an item goes with an item, or answers a query."""
    lengths = [len(each) for each in answers]
    columns = np.concatenate([*answers, np.zeros(0, np.int64)])
    rows = np.repeat(np.arange(len(answers)), lengths)
    asked = sparse.csr_array((np.ones(len(columns)), (rows, columns)), shape=(len(answers), items))
    return sparse.csr_array(sparse.vstack([covisits.likeness, asked]))
