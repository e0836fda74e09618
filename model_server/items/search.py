"""Finding the best items of a query: exact, or by an approximate index with the exact scores of what it found.

Both hide per user: the exact search masks, the approximate one fetches more than it needs and leaves out. No words,
no states, no Kafka.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import torch
from torch import Tensor

from app.surfaces.marks import Pairs
from model_server.items.approximate import NOTHING, ApproximateIndex

_MINUS_INFINITY: Final = float("-inf")
BLOCK: Final = 64  # columns whose maximum is looked at before they are
_BLOCKWISE_FROM: Final = 64 * BLOCK
# Scores of one matrix: on a CPU they should stay in the cache, 8 MiB; a GPU wants one large product.
_SCORES: Final = {"cpu": 1 << 21, "cuda": 1 << 25}
_DECIMALS: Final = 4
_FETCHED: Final = 256  # candidates of a first search that it is not worth to save on
_SPARE: Final = 4  # times what is wanted is fetched, for what this user may not see


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """The best slots of B queries, the best first.

    Args:
        slots: (B, K) int64.
        scores: (B, K), to four decimals.
        counts: (B,) how many of a row were found; behind them stand some slot or other and a score of minus infinity.
    """

    slots: Tensor
    scores: Tensor
    counts: Tensor


class Search(Protocol):
    """Finds items."""

    def best(self, queries: Tensor, hidden: Pairs, size: int) -> Ranked:
        """The items with the highest inner product per query.

        Args:
            queries: (B, D).
            hidden: which queries may not find which slots.
            size: K; less where there are not that many items at all.
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

    def best(self, queries: Tensor, hidden: Pairs, size: int) -> Ranked:
        """As `Search.best`."""
        at_once = max(1, _SCORES[queries.device.type] // max(1, len(self.vectors)))
        if len(queries) <= at_once:
            return self._best(queries, hidden, size)
        blocks = np.split(np.arange(len(queries)), range(at_once, len(queries), at_once))
        found = [self._best(queries[block[0] : block[-1] + 1], hidden.of(block), size) for block in blocks]
        return Ranked(
            torch.cat([each.slots for each in found]),
            torch.cat([each.scores for each in found]),
            torch.cat([each.counts for each in found]),
        )

    def _best(self, queries: Tensor, hidden: Pairs, size: int) -> Ranked:
        scores = torch.addmm(self.penalty, queries, self.vectors.T)
        users, columns = (torch.from_numpy(each).to(scores.device) for each in (hidden.users, hidden.items))
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

    def best(self, queries: Tensor, hidden: Pairs, size: int) -> Ranked:
        """As `Search.best`."""
        # Who has seen much of what is near asks again for more; who still has too little, for everything. Asking twice
        # costs far more than asking for more.
        most_hidden = int(np.bincount(hidden.users).max(initial=0))
        found = self._fetch(queries, hidden, size, max(_SPARE * size, min(size + most_hidden, _FETCHED)))
        for last in (False, True):
            short = torch.nonzero(found.counts < size)[:, 0]
            if not len(short):
                break
            asked, theirs = queries[short], hidden.of(short.numpy())
            more = (
                self.exact().best(asked, theirs, size)
                if last
                else self._fetch(asked, theirs, size, _SPARE * size + most_hidden)
            )
            width = more.slots.shape[1]
            found.slots[short, :width], found.scores[short, :width] = more.slots, more.scores
            found.counts[short] = more.counts
        return found

    def _fetch(self, queries: Tensor, hidden: Pairs, size: int, fetched: int) -> Ranked:
        slots = self.index.search(queries.numpy(), fetched)
        space = len(self.vectors) + 1
        asked = np.arange(len(slots))[:, None] * space + slots
        useless = (slots == NOTHING) | np.isin(asked, hidden.users * space + hidden.items)
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


def _ranked(values: Tensor, slots: Tensor) -> Ranked:
    found = values.isfinite()
    return Ranked(slots * found, values.double().round(decimals=_DECIMALS), found.sum(dim=1))
