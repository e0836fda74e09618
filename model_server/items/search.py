"""Finding the best items of a query: exact, or by an approximate index with the exact scores of what it found.

Both hide per user: the exact search masks, the approximate one fetches more than it needs and leaves out. No words,
no states, no Kafka.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model_server.items.approximate import NOTHING, ApproximateIndex

_MINUS_INFINITY: Final = float("-inf")
BLOCK: Final = 64  # columns whose maximum is looked at before they are
_BLOCKWISE_FROM: Final = 64 * BLOCK
# Scores of one matrix: on a CPU they should stay in the cache, 8 MiB; a GPU wants one large product.
_SCORES: Final = {"cpu": 1 << 21, "cuda": 1 << 25}
_DECIMALS: Final = 4
_SPARE: Final = 4  # times what is wanted is fetched, for what this user may not see


@dataclass(frozen=True, slots=True)
class Ranked:
    """One user's best slots, the best first, with their scores to four decimals."""

    slots: list[int]
    scores: list[float]


class Search(Protocol):
    """Finds items."""

    def best(self, queries: Tensor, hidden: Sequence[Sequence[int]], size: int) -> list[Ranked]:
        """The items with the highest inner product per query.

        Args:
            queries: (B, D).
            hidden: per query the slots that it may not find.
            size: how many; fewer come back where there are no more.
        """


@dataclass(frozen=True, slots=True, eq=False)
class ExactSearch:
    """Scores everything.

    Args:
        vectors: (M, D).
        penalty: (M,) minus infinity for what nobody may find, else 0.
        slots: (M,) the slot of each row; None: its number.
        rows: (N,) the row of each slot, `NOTHING` for none; given with `slots`.
    """

    vectors: Tensor
    penalty: Tensor
    slots: Tensor | None = None
    rows: Tensor | None = None

    def best(self, queries: Tensor, hidden: Sequence[Sequence[int]], size: int) -> list[Ranked]:
        """As `Search.best`."""
        at_once = max(1, _SCORES[queries.device.type] // max(1, len(self.vectors)))
        found: list[Ranked] = []
        for start in range(0, len(queries), at_once):
            block = slice(start, start + at_once)
            found += self._best(queries[block], hidden[block], size)
        return found

    def _best(self, queries: Tensor, hidden: Sequence[Sequence[int]], size: int) -> list[Ranked]:
        scores = torch.addmm(self.penalty, queries, self.vectors.T)
        users, columns = (torch.from_numpy(each).to(scores.device) for each in _pairs(hidden))
        if self.rows is not None:
            columns = self.rows[columns]
            users, columns = users[columns != NOTHING], columns[columns != NOTHING]
        scores[users, columns] = _MINUS_INFINITY
        values, columns = top(scores, size)
        return _ranked(values, columns if self.slots is None else self.slots[columns])


@dataclass(frozen=True, slots=True, eq=False)
class ApproximateSearch:
    """Scores what an approximate index finds, and everything for a user for whom that is too little.

    Args:
        index: over the slots that may be found.
        vectors: (N, D), by slot.
        exact: makes the exact search over the same slots.
    """

    index: ApproximateIndex
    vectors: Tensor
    exact: Callable[[], ExactSearch]

    def best(self, queries: Tensor, hidden: Sequence[Sequence[int]], size: int) -> list[Ranked]:
        """As `Search.best`."""
        found: dict[int, Ranked] = {}
        waiting = list(range(len(queries)))
        # Who has seen half of what is near asks again for more; who still has too little, for everything.
        most_hidden = max(map(len, hidden), default=0)
        for fetched in (_SPARE * size, _SPARE * size + most_hidden):
            asked = self._fetch(queries[waiting], [hidden[place] for place in waiting], size, fetched)
            found |= {place: own for place, own in zip(waiting, asked, strict=True) if len(own.slots) == size}
            waiting = [place for place in waiting if place not in found]
            if not waiting:
                break
        else:
            rest = self.exact().best(queries[waiting], [hidden[place] for place in waiting], size)
            found |= dict(zip(waiting, rest, strict=True))
        return [found[place] for place in range(len(queries))]

    def _fetch(self, queries: Tensor, hidden: Sequence[Sequence[int]], size: int, fetched: int) -> list[Ranked]:
        slots = self.index.search(queries.numpy(), fetched)
        users, columns = _pairs(hidden)
        space = len(self.vectors) + 1
        asked = np.arange(len(slots))[:, None] * space + slots
        useless = (slots == NOTHING) | np.isin(asked, users * space + columns)
        candidates = torch.from_numpy(np.maximum(slots, 0))
        scores = torch.bmm(self.vectors[candidates].float(), queries[:, :, None])[:, :, 0]
        scores[torch.from_numpy(useless)] = _MINUS_INFINITY
        values, places = scores.topk(size, dim=1)
        return _ranked(values, candidates.gather(1, places))


def top(scores: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The highest of each row of (B, M), sorted: values and columns, (B, min(size, M)) each.

    Of many columns the maxima of blocks are compared first: what is among the best lies in one of the best blocks.
    """
    columns = scores.shape[1]
    size = min(size, columns)
    if columns < _BLOCKWISE_FROM or columns % BLOCK or size > columns // BLOCK:
        values, places = scores.topk(size, dim=1)
        return values, places
    blocks = scores.view(len(scores), -1, BLOCK)
    chosen = blocks.amax(dim=2).topk(size, dim=1).indices
    inside = blocks.gather(1, chosen[:, :, None].expand(-1, -1, BLOCK)).flatten(1)
    values, places = inside.topk(size, dim=1)
    return values, chosen.gather(1, places // BLOCK) * BLOCK + places % BLOCK


def _ranked(values: Tensor, slots: Tensor) -> list[Ranked]:
    counts = values.isfinite().sum(dim=1).tolist()
    rounded = values.double().round(decimals=_DECIMALS)
    rows = zip(slots.tolist(), rounded.tolist(), counts, strict=True)
    return [Ranked(row_slots[:count], row_values[:count]) for row_slots, row_values, count in rows]


def _pairs(hidden: Sequence[Sequence[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(row, slot) of everything hidden."""
    lengths = np.fromiter(map(len, hidden), np.int64, len(hidden))
    slots = np.fromiter(chain.from_iterable(hidden), np.int64, int(lengths.sum()))
    return np.repeat(np.arange(len(hidden)), lengths), slots
