"""Which weights the blend gets: chosen on the validation users of a training, one source after the other, twice.

What the sources know must not contain the validation events. The network's early stopping looked at the same users, so
its own part is a little flattered; the gain that is reported is what the other sources add to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model_server.hybrid.blend import NETWORK_ALONE, Blended, BlendWeights
from model_server.hybrid.worths import Offers
from model_server.judging.metrics import RankingMetrics, ranking_metrics

_KEPT: Final = 300  # candidates of a user that anybody could put among the first ten
_DEPTH: Final = 20  # of the criterion: 10 is full of accidental peaks, 100 rewards what no list shows
_GRID: Final = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0)
_LEAST_CASES: Final = 100  # fewer say nothing
_ROUNDS: Final = 2  # in the second one, each source knows what the later ones say
_RESAMPLES: Final = 200


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """U users' candidates and which one was right.

    Args:
        worth: (U, C, S) float32, zeros behind a user's last candidate; the right one stands first, if it was offered.
        offered: (U,) whether it was.
    """

    worth: NDArray[np.float32]
    offered: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Choice:
    """The weights, and how the network alone and the blend did on validation."""

    weights: BlendWeights
    alone: RankingMetrics
    blended: RankingMetrics


def cases_of(offers: Offers, targets: NDArray[np.int64]) -> Cases:
    """Ask the sources about validation users whose next items, (U,) slots, are known."""
    worth = np.zeros((offers.users, _KEPT, len(offers.sources)), np.float32)
    found = np.zeros(offers.users, np.bool_)
    for block in offers.worths():
        users = block.first + np.arange(block.worth.shape[1])
        best = block.worth.max(axis=0)
        column = np.minimum(np.searchsorted(block.slots, targets[users]), max(0, len(block.slots) - 1))
        if not len(block.slots):
            continue
        each = np.arange(len(users))
        offered = (block.slots[column] == targets[users]) & (best[each, column] > 0)
        best[each[offered], column[offered]] = np.inf  # the right one is kept, and comes first
        kept = np.argsort(-best, axis=1, kind="stable")[:, :_KEPT]
        taken = np.take_along_axis(block.worth, kept[None], axis=2)
        worth[users, : kept.shape[1]] = np.moveaxis(taken, 0, 2)
        found[users[offered]] = True
    return Cases(worth, found)


def choose(cases: Cases, sources: Sequence[Blended], rng: np.random.Generator) -> Choice:
    """The weights that rank what came next well; the network alone where no other source helps.

    One source after the other gets the mean of the weights of a grid that are best for the users drawn again with
    replacement (bagging: Breiman, Machine Learning, 1996), or 0 where that is best in most draws. A thousand users
    leave every criterion full of accidental peaks; the draws disagree about those.

    Args:
        cases: of validation users.
        sources: S, the network first; its weight stays 1.
        rng: of the draws.
    """
    weights = np.eye(1, len(sources), dtype=np.float64)[0]
    alone = ranking_metrics(_ranks(cases, weights))
    if len(cases.offered) < _LEAST_CASES:
        return Choice(NETWORK_ALONE, alone, alone)
    for place in (*range(1, len(sources)),) * _ROUNDS:
        gains = np.stack([_gains(cases, _with(weights, place, weight)) for weight in _GRID])
        weights = _with(weights, place, _bagged(gains, rng))
    named = {source.value: float(weight) for source, weight in zip(sources, weights, strict=True)}
    return Choice(BlendWeights(**named), alone, ranking_metrics(_ranks(cases, weights)))


def _bagged(gains: NDArray[np.float64], rng: np.random.Generator) -> float:
    """The weight, from (G, U) what each of the grid is worth to each user; two decimals."""
    users = gains.shape[1]
    draws = rng.multinomial(users, np.full(users, 1 / users), size=_RESAMPLES)
    best = np.array(_GRID)[(draws @ gains.T).argmax(axis=1)]
    return 0.0 if np.median(best) == 0 else round(float(best.mean()), 2)


def _with(weights: NDArray[np.float64], place: int, weight: float) -> NDArray[np.float64]:
    changed = weights.copy()
    changed[place] = weight
    return changed


def _gains(cases: Cases, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(U,) NDCG@20."""
    ranks = _ranks(cases, weights)
    return np.where(ranks <= _DEPTH, 1 / np.log2(ranks + 1), 0.0)


def _ranks(cases: Cases, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(U,) infinity where nobody offered the right one."""
    totals = cases.worth @ weights.astype(np.float32)
    right = totals[:, :1]
    ranks = 1 + (totals > right).sum(axis=1) + ((totals == right).sum(axis=1) - 1) / 2
    found: NDArray[np.float64] = np.where(cases.offered & (right[:, 0] > 0), ranks, np.inf)
    return found
