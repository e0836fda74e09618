"""From answers to what is reported of a recommender: means, intervals, differences, slices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model_server.evaluation.facts import ItemFacts
from model_server.evaluation.lists import coverage, distance, exposure, gini, mean_where_known, novelty
from model_server.evaluation.predictions import rating_errors
from model_server.evaluation.tally import Answers
from model_server.judging.bootstrap import Interval, bootstrap
from model_server.judging.metrics import CaseMetrics

RANKING: Final = ("hr10", "recall10", "ndcg10", "mrr10", "uncapped_recall10")
# History lengths at which slices begin; the last one is open.
_SLICES: Final = (0, 1, 5, 10, 20, 50, 100, 200)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one fit and the questions after it took. `fit_peak_mb`: the most memory that the process held meanwhile."""

    fit_seconds: float
    fit_peak_mb: float
    ask_seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One recommender fitted with one seed: its cost, and its answers to every form of the questions."""

    seed: int
    cost: Cost
    answers: Mapping[str, Answers]


@dataclass(frozen=True, slots=True)
class Slice:
    """The cases with a history of `shortest` to `longest` events (None: no limit)."""

    shortest: int
    longest: int | None
    cases: int
    ndcg10: float


@dataclass(frozen=True, slots=True)
class Group:
    """The cases that a protocol tells apart: how many, their intervals, and those of the difference to another model.

    `difference` is None for the model that the others are compared with.
    """

    cases: int
    intervals: Mapping[str, Interval]
    difference: Mapping[str, Interval] | None


def values_of(answers: Answers, facts: ItemFacts) -> dict[str, float]:
    """Everything that is one number, by its name in the JSON line; what cannot be told of this data is left out."""
    shown = exposure(answers.lists, len(facts))
    found: dict[str, float | None] = {
        **{name: float(each.mean()) if len(each) else 0.0 for name, each in _named(answers.metrics).items()},
        "coverage10": coverage(shown),
        "gini10": gini(shown),
        "novelty10": mean_where_known(novelty(answers.lists, facts.information)),
        "calibration10": mean_where_known(answers.miscalibration),
    }
    if facts.categories is not None:
        found["ild10"] = mean_where_known(distance(answers.lists, facts.categories))
    measured = {name: value for name, value in found.items() if value is not None}
    return measured | rating_errors(answers)


def mean_values(each: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of every number over the seeds."""
    return {name: float(np.mean([values[name] for values in each if name in values])) for name in each[0]}


def columns_of(runs: Sequence[Run], form: str) -> NDArray[np.float64]:
    """(C, 5) the ranking metrics of each case in this form, means over the seeds."""
    each = [np.stack(list(_named(run.answers[form].metrics).values()), axis=1) for run in runs]
    means: NDArray[np.float64] = np.mean(each, axis=0)
    return means


def intervals_of(users: NDArray[np.int64], columns: NDArray[np.float64], seed: int) -> dict[str, Interval]:
    """The interval of each ranking metric; `columns` as `columns_of`, or the difference of two of them."""
    return dict(zip(RANKING, bootstrap(users, columns, seed), strict=True))


def slices_of(runs: Sequence[Run], form: str) -> list[Slice]:
    """NDCG@10 by the length of the history; slices without cases are left out."""
    lengths = runs[0].answers[form].history_lengths
    ndcg = columns_of(runs, form)[:, RANKING.index("ndcg10")]
    found = []
    for shortest, following in zip(_SLICES, (*_SLICES[1:], None), strict=True):
        inside = (lengths >= shortest) & (lengths < (following or np.inf))
        if inside.any():
            longest = following - 1 if following else None
            found.append(Slice(shortest, longest, int(inside.sum()), float(ndcg[inside].mean())))
    return found


def popularity_shares(runs: Sequence[Run], form: str, facts: ItemFacts) -> NDArray[np.float64]:
    """(10,) the share of all places that went to each tenth of the catalog, the most popular tenth first."""
    shown = np.sum([exposure(run.answers[form].lists, len(facts)) for run in runs], axis=0)
    tenths = np.array_split(shown[np.argsort(-facts.popularity, kind="stable")], 10)
    return np.array([tenth.sum() for tenth in tenths]) / max(int(shown.sum()), 1)


def _named(metrics: CaseMetrics) -> dict[str, NDArray[np.float64]]:
    return {name: getattr(metrics, name) for name in RANKING}
