"""What is learned from, and what is predicted.

`loo`: per user by time, ties in file order; the last event is predicted, the one before it is for validation.
`stream`: all events in global time order; every event after the cut is predicted from the state just before it.
Both rank the full catalog without what the user has had already; there are no sampled negatives.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.data.interactions import Interactions, by_user
from model_server.evaluation.cases import Cases, Fit, Recommender
from model_server.evaluation.metrics import RankingMetrics, ranking_metrics, target_ranks, top_items

_BLOCK = 256

OnCases = Callable[[int, int], None]
"""Called with (cases done, all cases)."""


@dataclass(frozen=True, slots=True)
class ProtocolResult:
    """How one recommender did; `coverage10` is the share of the catalog that got into anybody's first ten."""

    metrics: RankingMetrics
    coverage10: float


def leave_one_out_training(log: Interactions) -> Interactions:
    """All but every user's last event.

    What is last then is the validation event: a model that chooses its weights by it takes it out itself
    (model_server.training.validation), one that chooses nothing may learn from it.
    """
    kept = np.ones(len(log), dtype=np.bool_)
    kept[[positions[-1] for positions in by_user(log) if len(positions)]] = False
    return log.take(kept)


def leave_one_out(log: Interactions, fit: Fit, on_cases: OnCases) -> ProtocolResult:
    """Predict every user's last event; users with a single event are left out."""
    recommender = fit(leave_one_out_training(log))
    cases = [positions for positions in by_user(log) if len(positions) > 1]
    tally = _Tally(len(log.item_ids))
    for start in range(0, len(cases), _BLOCK):
        block = cases[start : start + _BLOCK]
        last = np.array([positions[-1] for positions in block])
        histories = [log.take(positions[:-1]) for positions in block]
        tally.add(recommender, Cases(histories, log.users[last].astype(np.int64), log.ts_ms[last]), log.items[last])
        on_cases(start + len(block), len(cases))
    return tally.result()


def stream(log: Interactions, cut: int, fit: Fit, on_cases: OnCases) -> ProtocolResult:
    """Learn from the first `cut` events, then predict each of the others just before it happens."""
    recommender = fit(log.take(slice(0, cut)))
    order, place = _histories_before(log)
    tally = _Tally(len(log.item_ids))
    block = 1 if recommender.online else _BLOCK
    for start in range(cut, len(log), block):
        end = min(start + block, len(log))
        histories = [log.take(order[slice(*place[position])]) for position in range(start, end)]
        cases = Cases(histories, log.users[start:end].astype(np.int64), log.ts_ms[start:end])
        tally.add(recommender, cases, log.items[start:end])
        recommender.observe(log.take(slice(start, end)))
        on_cases(end - cut, len(log) - cut)
    return tally.result()


def _histories_before(log: Interactions) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """All positions by user, and for each event (start, end) in them of what its user did before it."""
    order = np.argsort(log.users, kind="stable")
    counts = np.bincount(log.users, minlength=len(log.user_ids))
    starts = np.cumsum(counts) - counts
    place = np.empty((len(log), 2), dtype=np.intp)
    place[order, 0] = np.repeat(starts, counts)
    place[order, 1] = np.arange(len(log))
    return order, place


class _Tally:
    """Collects ranks and what was shown."""

    def __init__(self, items: int) -> None:
        self._ranks: list[NDArray[np.float64]] = []
        self._shown = np.zeros(items, dtype=np.bool_)

    def add(self, recommender: Recommender, cases: Cases, targets: NDArray[np.int32]) -> None:
        scores = recommender.scores(cases)
        for row, history in enumerate(cases.histories):
            scores[row, history.items] = -np.inf
        self._ranks.append(target_ranks(scores, targets.astype(np.int64)))
        self._shown[top_items(scores).ravel()] = True

    def result(self) -> ProtocolResult:
        ranks = np.concatenate(self._ranks) if self._ranks else np.zeros(0)
        return ProtocolResult(metrics=ranking_metrics(ranks), coverage10=float(self._shown.mean()))
