"""An approximate index of vectors that come and go: inverted lists (faiss) in half precision.

The vectors are split into about 2 * sqrt(n) cells; a query looks into the cells nearest to it. Compared with a graph
(HNSW) a list is built some fifty times faster, forgets at once, and finds more in the same time on vectors like ours;
DECISIONS.md has the numbers. Not thread-safe: `ItemIndex` holds its lock.
"""

import logging
import math
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

NOTHING: Final = -1
_CELLS: Final = (64, 4_096)
_TRAINED_PER_CELL: Final = 40
_ROUNDS: Final = 10
_LEAST_PROBES: Final = 64
_PROBED_SHARE: Final = 1 / 16
_OUTGROWN: Final = 4  # times as many as it was made for: cells have become too full
_SEED: Final = 1


class ApproximateIndex:
    """See the module.

    Args:
        slots: (n,) int64, the keys.
        vectors: (n, D) float32, whose cells are learned.
    """

    def __init__(self, slots: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        # It tells at length which of its builds it did not find.
        logging.getLogger("faiss.loader").setLevel(logging.WARNING)
        import faiss  # noqa: PLC0415  # 0.2 s that a small shop need not spend

        self._faiss: Any = faiss
        self._made_for = len(slots)
        cells = min(max(2 ** round(math.log2(2 * math.sqrt(len(slots)))), _CELLS[0]), _CELLS[1])
        width = vectors.shape[1]
        self._index: Any = faiss.IndexIVFScalarQuantizer(
            faiss.IndexFlatIP(width), width, cells, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        )
        self._index.cp.niter = _ROUNDS
        self._index.nprobe = max(_LEAST_PROBES, int(cells * _PROBED_SHARE))
        sample = np.random.default_rng(_SEED).permutation(len(slots))[: cells * _TRAINED_PER_CELL]
        self._use_threads()
        self._index.train(np.ascontiguousarray(vectors[sample], np.float32))
        # Without it a removal reads every list.
        self._index.set_direct_map_type(self._faiss.DirectMap.Hashtable)
        self._index.add_with_ids(np.ascontiguousarray(vectors, np.float32), slots)

    def __len__(self) -> int:
        size: int = self._index.ntotal
        return size

    @property
    def outgrown(self) -> bool:
        """Whether a new one should be made."""
        return len(self) > _OUTGROWN * self._made_for

    def put(self, slots: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Take in (n,) different slots, or give those that are there other (n, D) vectors."""
        self.drop(slots)
        self._use_threads()
        self._index.add_with_ids(np.ascontiguousarray(vectors, np.float32), slots)

    def drop(self, slots: NDArray[np.int64]) -> None:
        """Forget slots; those that are not there are no news."""
        self._index.remove_ids(slots)

    def search(self, queries: NDArray[np.float32], size: int) -> NDArray[np.int64]:
        """(B, D) -> (B, size) slots, the best first, `NOTHING` behind where fewer were found."""
        self._use_threads()
        found: NDArray[np.int64] = self._index.search(np.ascontiguousarray(queries, np.float32), size)[1]
        return found

    def _use_threads(self) -> None:
        # OpenMP keeps this number per calling thread.
        self._faiss.omp_set_num_threads(torch.get_num_threads())
