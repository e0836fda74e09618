"""Train a ranker on the questions of its own protocol, asked within the training part.

The item tables are fitted on what lies before the first question and follow the log from there on, as they do later.
The newest days are kept for early stopping; the trees are not grown again on them.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import lightgbm
import numpy as np
from numpy.typing import NDArray

from model_server.evaluation.cases import Cases
from model_server.evaluation.questions import Plan, Question
from model_server.ranking.facts import ItemFacts
from model_server.ranking.features import FEATURES
from model_server.ranking.lines import moments_of
from model_server.ranking.past import past_of
from model_server.ranking.promotion import Promoting
from model_server.ranking.ranker import Ranker, RankingOptions, describe
from model_server.ranking.tables import GrowingTables, ItemTables, fit_tables

AT_ONCE: Final = 43
_PATIENCE: Final = 40
_MOST_ROUNDS: Final = 700


@dataclass(frozen=True, slots=True)
class RankerTraining:
    """How it is trained.

    Args:
        seeds: one ranker each; their scores are added.
        held_out: share of the questions, the newest, for early stopping.
        negatives: share of the candidates that were not taken that is learned from.
        truncation, leaves, rate: of lambdarank and its trees.
    """

    seeds: tuple[int, ...] = (0, 1)
    held_out: float = 0.15
    negatives: float = 0.4
    truncation: int = 15
    leaves: int = 31
    rate: float = 0.06


@dataclass(frozen=True, slots=True, eq=False)
class Shop:
    """What training is told of the shop: its items, its time zone, its promotions."""

    facts: ItemFacts
    zone: str
    promoting: Promoting


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Q questions: rows of features (C, F), whether each was taken (C,), rows a question (Q,), and its moment (Q,)."""

    features: NDArray[np.float32]
    taken: NDArray[np.bool_]
    sizes: NDArray[np.int64]
    now_ms: NDArray[np.int64]

    def select(self, questions: NDArray[np.bool_]) -> "Examples":
        """Those questions."""
        rows = np.repeat(questions, self.sizes)
        return Examples(self.features[rows], self.taken[rows], self.sizes[questions], self.now_ms[questions])


@dataclass(frozen=True, slots=True, eq=False)
class TrainedRanker:
    """What training gives: the ranker, tables as of the end of the plan, and how it went."""

    ranker: Ranker
    tables: GrowingTables
    report: Mapping[str, float]


def train_ranker(plan: Plan, shop: Shop, options: RankingOptions, training: RankerTraining) -> TrainedRanker:
    """From a plan whose questions lie in the training part.

    Raises:
        ValueError: nobody took any candidate.
    """
    started = time.perf_counter()
    now_ms = int(plan.training.ts_ms[-1])
    tables = GrowingTables(fit_tables(plan.training, shop.facts, shop.zone, now_ms), plan.training)
    examples = collect(plan, tables, shop.promoting, options, training)
    described_s = time.perf_counter() - started
    if not examples.taken.any():
        raise ValueError("no candidate was taken: there is nothing to learn from")
    cut_ms = np.quantile(examples.now_ms, 1 - training.held_out)
    grown = examples.select(examples.now_ms < cut_ms)
    held_out = examples.select(examples.now_ms >= cut_ms)
    boosters = [_booster(grown, held_out, training, seed) for seed in training.seeds]
    report = {
        "questions": len(examples.sizes),
        "rows": len(examples.taken),
        "rounds": float(np.mean([booster.best_iteration for booster in boosters])),
        "describe_s": described_s,
        "grow_s": time.perf_counter() - started - described_s,
    }
    return TrainedRanker(Ranker(boosters, options), tables, report)


def collect(
    plan: Plan, tables: GrowingTables, promoting: Promoting, options: RankingOptions, training: RankerTraining
) -> Examples:
    """The plan's questions as rows; those in which no candidate was taken teach nothing and are left out."""
    rng = np.random.default_rng(training.seeds[0])
    parts: list[Examples] = []
    for step in plan.steps(AT_ONCE):
        if step.question is not None:
            parts += [_described(step.question, tables.at(int(step.question.cases.now_ms[0])), promoting, options)]
            parts[-1] = _thinned(parts[-1], training.negatives, rng)
        tables.observe(step.happened)
    return Examples(
        features=np.concatenate([np.zeros((0, len(FEATURES)), np.float32), *(part.features for part in parts)]),
        taken=np.concatenate([np.zeros(0, np.bool_), *(part.taken for part in parts)]),
        sizes=np.concatenate([np.zeros(0, np.int64), *(part.sizes for part in parts)]),
        now_ms=np.concatenate([np.zeros(0, np.int64), *(part.now_ms for part in parts)]),
    )


def _described(question: Question, tables: ItemTables, promoting: Promoting, options: RankingOptions) -> Examples:
    cases: Cases = question.cases
    moments = moments_of(cases)
    described = describe(moments, past_of(cases.histories, moments, options.window), tables, promoting, options)
    owners, span = described.pairs.owners, len(tables.facts)
    relevant = [owner * span + items.astype(np.int64) for owner, items in enumerate(question.relevant)]
    taken = np.isin(owners * span + described.pairs.items, np.concatenate(relevant))
    return Examples(described.features, taken, np.bincount(owners, minlength=len(cases)), cases.now_ms)


def _thinned(examples: Examples, negatives: float, rng: np.random.Generator) -> Examples:
    owners = np.repeat(np.arange(len(examples.sizes)), examples.sizes)
    some_taken = np.bincount(owners, weights=examples.taken, minlength=len(examples.sizes)) > 0
    kept = (examples.taken | (rng.random(len(owners)) < negatives)) & some_taken[owners]
    sizes = np.bincount(owners[kept], minlength=len(examples.sizes))[some_taken]
    return Examples(examples.features[kept], examples.taken[kept], sizes, examples.now_ms[some_taken])


def _booster(grown: Examples, held_out: Examples, training: RankerTraining, seed: int) -> lightgbm.Booster:
    parameters: dict[str, Any] = {
        "objective": "lambdarank",
        "metric": "ndcg",
        "eval_at": [10],
        "lambdarank_truncation_level": training.truncation,
        "num_leaves": training.leaves,
        "learning_rate": training.rate,
        "min_data_in_leaf": 60,
        "feature_fraction": 0.6,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "lambda_l2": 5.0,
        "max_bin": 127,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "seed": seed,
        "verbose": -1,
    }
    data = _dataset(grown)
    stopping = lightgbm.early_stopping(_PATIENCE, verbose=False)
    watched = [_dataset(held_out, data)]
    return lightgbm.train(parameters, data, _MOST_ROUNDS, valid_sets=watched, callbacks=[stopping])


def _dataset(examples: Examples, reference: lightgbm.Dataset | None = None) -> lightgbm.Dataset:
    return lightgbm.Dataset(
        examples.features,
        examples.taken.astype(np.int8),
        group=examples.sizes,
        reference=reference,
        feature_name=list(FEATURES),
    )
