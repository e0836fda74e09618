"""What the encoder is judged by: queries that find items, and held-out items that find the people who took them.

Half of the cases choose among rounds, the other half says afterwards whether fine-tuning has helped at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from app.data.interactions import Interactions, by_user
from model_server.finetuning.queries import Query
from model_server.finetuning.universe import Universe
from model_server.judging.metrics import CaseMetrics, RankingMetrics, case_metrics, relevant_ranks

_ANCHORS: Final = 20  # as many, and fading as fast, as for `content` of `riverrun evaluate`
_FADING: Final = 0.85
_MOST_CASES: Final = 2_000


@dataclass(frozen=True, slots=True, eq=False)
class QueryCases:
    """C queries.

    Args:
        rows: (C,) of the table of texts.
        items: (C,) the item that each was made of.
        answers: C arrays of items.
    """

    rows: NDArray[np.int64]
    items: NDArray[np.int64]
    answers: Sequence[NDArray[np.int64]]

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, cases: NDArray[np.intp]) -> "QueryCases":
        """Some of them."""
        return QueryCases(self.rows[cases], self.items[cases], [self.answers[case] for case in cases.tolist()])

    def measure(self, vectors: NDArray[np.float32], items: int) -> CaseMetrics:
        """Of each: the M items are ranked, by the (M + Q, D) vectors of the table of texts."""
        scores = vectors[self.rows] @ vectors[:items].T
        return _measured(scores, [answers.astype(np.int32) for answers in self.answers])


@dataclass(frozen=True, slots=True, eq=False)
class ColdCases:
    """C moments at which somebody took a held-out item.

    Args:
        users: (C,) who.
        profiles: (C, M) what each had before that is not held out, the older the less.
        targets: (C,) numbers among the held-out items.
        had: (C, H) which held-out items each had before.
        cold: (H,) the held-out items.
    """

    users: NDArray[np.int64]
    profiles: sparse.csr_array
    targets: NDArray[np.int64]
    had: sparse.csr_array
    cold: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.users)

    def take(self, cases: NDArray[np.intp]) -> "ColdCases":
        """Some of them."""
        return ColdCases(self.users[cases], self.profiles[cases], self.targets[cases], self.had[cases], self.cold)

    def measure(self, vectors: NDArray[np.float32]) -> CaseMetrics:
        """Of each: the held-out items are ranked by the likeness of their texts to the profile."""
        scores = (self.profiles @ vectors[: self.profiles.shape[1]]) @ vectors[self.cold].T
        scores[self.had.nonzero()] = -np.inf
        return _measured(scores, [np.array([target], dtype=np.int32) for target in self.targets])


def cold_cases(universe: Universe, rng: np.random.Generator) -> ColdCases:
    """At most 2,000 of the moments, by chance; of a person with nothing before there is none."""
    cold = np.flatnonzero(universe.cold)
    number_of = np.full(len(universe), -1, dtype=np.int64)
    number_of[cold] = np.arange(len(cold))
    moments = [case for history in by_user(universe.log) for case in _moments(universe, history)]
    chosen = sorted(rng.permutation(len(moments))[:_MOST_CASES].tolist())
    return _cases([moments[place] for place in chosen], universe.log, number_of, cold)


@dataclass(frozen=True, slots=True, eq=False)
class _Moment:
    event: int
    anchors: NDArray[np.int64]
    had: NDArray[np.int64]


def _moments(universe: Universe, history: NDArray[np.intp]) -> list[_Moment]:
    """The events of one user, by position in the log, in which a held-out item was taken for the first time."""
    items = universe.log.items[history].astype(np.int64)
    is_cold = universe.cold[items]
    found = []
    for place in np.flatnonzero(is_cold).tolist():
        before = items[:place]
        warm = before[~is_cold[:place]][::-1]
        anchors = np.array(list(dict.fromkeys(warm[: 10 * _ANCHORS].tolist()))[:_ANCHORS], dtype=np.int64)
        had = before[is_cold[:place]]
        if len(anchors) and items[place] not in had:
            found.append(_Moment(int(history[place]), anchors, np.unique(had)))
    return found


def _cases(
    moments: list[_Moment], log: Interactions, number_of: NDArray[np.int64], cold: NDArray[np.int64]
) -> ColdCases:
    events = np.array([moment.event for moment in moments], dtype=np.int64)
    weights: list[NDArray[np.float64]] = [np.power(_FADING, np.arange(len(moment.anchors))) for moment in moments]
    profiles = _rows(weights, [moment.anchors for moment in moments], width=len(number_of))
    had = [number_of[moment.had] for moment in moments]
    return ColdCases(
        users=log.users[events].astype(np.int64),
        profiles=profiles,
        targets=number_of[log.items[events]],
        had=_rows([np.ones(len(each)) for each in had], had, width=len(cold)),
        cold=cold,
    )


def query_cases(queries: Sequence[Query], first_row: int) -> QueryCases:
    """All of these, whose texts begin at that row of the table."""
    made_of = np.array([query.item for query in queries], dtype=np.int64)
    return QueryCases(first_row + np.arange(len(queries)), made_of, [query.answers for query in queries])


def combined(queries: CaseMetrics, cold: CaseMetrics) -> RankingMetrics:
    """The geometric mean of both: a gain in one does not pay for an equal loss in the other.

    Of one alone where the other has no case.
    """
    parts = [each for each in (queries, cold) if len(each.hr10)]

    def mean(values: list[NDArray[np.float64]]) -> float:
        return float(np.prod([each.mean() for each in values]) ** (1 / len(values))) if values else 0.0

    return RankingMetrics(
        cases=sum(len(each.hr10) for each in parts),
        hr10=mean([each.hr10 for each in parts]),
        ndcg10=mean([each.ndcg10 for each in parts]),
        mrr10=mean([each.mrr10 for each in parts]),
    )


def _rows(values: Sequence[NDArray[np.float64]], columns: Sequence[NDArray[np.int64]], width: int) -> sparse.csr_array:
    starts = np.concatenate([[0], np.cumsum([len(each) for each in columns])]).astype(np.int64)
    shape = (len(columns), width)
    data = np.concatenate([*values, np.zeros(0)]).astype(np.float32)
    return sparse.csr_array((data, np.concatenate([*columns, np.zeros(0, np.int64)]), starts), shape=shape)


def _measured(scores: NDArray[np.floating], relevant: Sequence[NDArray[np.int32]]) -> CaseMetrics:
    counts = np.array([len(each) for each in relevant], dtype=np.int64)
    ranks = relevant_ranks(scores, relevant) if len(relevant) else np.zeros(0)
    return case_metrics(ranks, counts)
