"""Ranking metrics over the full catalog, one relevant item per case.

HR@k: the share of cases whose item is among the first k. NDCG@k: 1 / log2(rank + 1), 0 beyond k (Järvelin and
Kekäläinen, 2002). MRR@k: 1 / rank, 0 beyond k. Ranks count from 1; items with equal scores share the average of
their ranks, so a model that scores everything alike gets nothing for it.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

CUTOFF: Final = 10


@dataclass(frozen=True, slots=True)
class RankingMetrics:
    """Means over `cases`; zeros where there are none."""

    cases: int
    hr10: float
    ndcg10: float
    mrr10: float


def target_ranks(scores: NDArray[np.floating], targets: NDArray[np.int64]) -> NDArray[np.float64]:
    """The rank of each case's item.

    Args:
        scores: (B, N), minus infinity for an item that must not be shown. No NaN.
        targets: (B,) index of the relevant item.

    Returns:
        (B,) ranks from 1; infinity for an item that must not be shown.

    Raises:
        ValueError: a score is NaN; comparing with it would put every target first.
    """
    if np.isnan(scores).any():
        raise ValueError("a score is NaN")
    wanted = scores[np.arange(len(targets)), targets][:, None]
    higher = (scores > wanted).sum(axis=1)
    equal = (scores == wanted).sum(axis=1) - 1
    ranks: NDArray[np.float64] = np.where(np.isneginf(wanted[:, 0]), np.inf, 1 + higher + equal / 2)
    return ranks


def ranking_metrics(ranks: NDArray[np.float64]) -> RankingMetrics:
    """The metrics of these ranks (from 1)."""
    if not len(ranks):
        return RankingMetrics(cases=0, hr10=0.0, ndcg10=0.0, mrr10=0.0)
    hit = ranks <= CUTOFF
    return RankingMetrics(
        cases=len(ranks),
        hr10=float(hit.mean()),
        ndcg10=float(np.where(hit, 1 / np.log2(ranks + 1), 0.0).mean()),
        mrr10=float(np.where(hit, 1 / ranks, 0.0).mean()),
    )


def top_items(scores: NDArray[np.floating]) -> NDArray[np.intp]:
    """(B, N) -> (B, min(10, N)) the items that would be shown, in no order; see `coverage`."""
    shown = min(CUTOFF, scores.shape[1])
    chosen: NDArray[np.intp] = np.argpartition(-scores, shown - 1, axis=1)[:, :shown]
    return chosen
