"""Ranking metrics over the full catalog, any number of relevant items per case.

At k, for a case with R relevant items of which some are among the first k:
HR: 1 if any is. Recall: their share of min(k, R), what k places can hold (R_cap@k in BEIR, Thakur et al. 2021).
Uncapped recall: their share of R. NDCG: the sum of 1 / log2(rank + 1) over them, divided by what the best order would
reach, the first min(k, R) ranks (Järvelin and Kekäläinen, 2002). MRR: 1 / rank of the first. With R = 1 both recalls
are HR. Ranks count from 1; items with equal scores share the average of their ranks, so a model that scores everything
alike gets nothing for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

CUTOFF: Final = 10
_CHUNK: Final = 256
# What the best order of R relevant items earns, by R.
_IDEAL: Final = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(1, CUTOFF + 1) + 1))])


@dataclass(frozen=True, slots=True)
class RankingMetrics:
    """Means over `cases`; zeros where there are none."""

    cases: int
    hr10: float
    ndcg10: float
    mrr10: float


@dataclass(frozen=True, slots=True, eq=False)
class CaseMetrics:
    """The metrics of C cases, each (C,) float64."""

    hr10: NDArray[np.float64]
    recall10: NDArray[np.float64]
    ndcg10: NDArray[np.float64]
    mrr10: NDArray[np.float64]
    uncapped_recall10: NDArray[np.float64]


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
    return _ranks(scores, np.arange(len(targets)), targets)


def ranking_metrics(ranks: NDArray[np.float64]) -> RankingMetrics:
    """The means over cases with one relevant item each, whose ranks (from 1) these are."""
    if not len(ranks):
        return RankingMetrics(cases=0, hr10=0.0, ndcg10=0.0, mrr10=0.0)
    each = case_metrics(ranks, np.ones(len(ranks), dtype=np.int64))
    return RankingMetrics(
        cases=len(ranks),
        hr10=float(each.hr10.mean()),
        ndcg10=float(each.ndcg10.mean()),
        mrr10=float(each.mrr10.mean()),
    )


def relevant_ranks(scores: NDArray[np.floating], relevant: Sequence[NDArray[np.int32]]) -> NDArray[np.float64]:
    """The ranks of all relevant items, those of the first case first; infinity for what is certainly beyond 10.

    Args:
        scores: as for `target_ranks`.
        relevant: B arrays of items.

    Returns:
        (T,) one rank per relevant item.

    Raises:
        ValueError: a score is NaN.
    """
    if np.isnan(scores).any():
        raise ValueError("a score is NaN")
    rows = np.repeat(np.arange(len(relevant)), [len(items) for items in relevant])
    items = np.concatenate(relevant).astype(np.int64)
    shown = min(CUTOFF, scores.shape[1])
    last_shown = np.partition(scores, scores.shape[1] - shown, axis=1)[:, scores.shape[1] - shown]
    in_reach = np.flatnonzero(scores[rows, items] >= last_shown[rows])
    ranks = np.full(len(rows), np.inf)
    for start in range(0, len(in_reach), _CHUNK):  # each needs a row of its own for a moment
        chunk = in_reach[start : start + _CHUNK]
        ranks[chunk] = _ranks(scores, rows[chunk], items[chunk])
    return ranks


def case_metrics(ranks: NDArray[np.float64], counts: NDArray[np.int64]) -> CaseMetrics:
    """The metrics of each case.

    Args:
        ranks: (T,) from 1, of all relevant items, those of the first case first.
        counts: (C,) how many belong to each case, at least 1; their sum is T.
    """
    if not len(counts):
        return CaseMetrics(*(np.zeros(0) for _ in range(5)))
    starts = np.cumsum(counts) - counts
    hits = ranks <= CUTOFF
    gains = np.add.reduceat(np.where(hits, 1 / np.log2(ranks + 1), 0.0), starts)
    first = np.minimum.reduceat(ranks, starts)
    found = np.add.reduceat(hits.astype(np.float64), starts)
    return CaseMetrics(
        hr10=(first <= CUTOFF).astype(np.float64),
        recall10=found / np.minimum(counts, CUTOFF),
        ndcg10=gains / _IDEAL[np.minimum(counts, CUTOFF)],
        mrr10=np.where(first <= CUTOFF, 1 / first, 0.0),
        uncapped_recall10=found / counts,
    )


def top_items(scores: NDArray[np.floating]) -> NDArray[np.int32]:
    """(B, N) -> (B, 10) the items that are shown, best first, of equal ones the earlier; -1 where there is none."""
    shown = min(CUTOFF, scores.shape[1])
    chosen = np.argpartition(-scores, shown - 1, axis=1)[:, :shown]
    chosen.sort(axis=1)
    values = np.take_along_axis(scores, chosen, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    lists = np.full((len(scores), CUTOFF), -1, dtype=np.int32)
    ordered = np.take_along_axis(chosen, order, axis=1)
    lists[:, :shown] = np.where(np.isneginf(np.take_along_axis(values, order, axis=1)), -1, ordered)
    return lists


def _ranks(scores: NDArray[np.floating], rows: NDArray[np.intp], items: NDArray[np.int64]) -> NDArray[np.float64]:
    """The rank of `items[t]` among the scores of row `rows[t]`."""
    wanted = scores[rows, items][:, None]
    compared = scores if len(rows) == len(scores) and (rows == np.arange(len(rows))).all() else scores[rows]
    higher = (compared > wanted).sum(axis=1)
    equal = (compared == wanted).sum(axis=1) - 1
    ranks: NDArray[np.float64] = np.where(np.isneginf(wanted[:, 0]), np.inf, 1 + higher + equal / 2)
    return ranks
