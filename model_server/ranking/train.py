"""Train a ranker on the questions of its own protocol, asked within the training part.

The item tables are fitted on what lies before the first question and follow the log from there on, as they do later.
How many questions there are says the most, so few of each one's wrong candidates are kept. The newest days say how many
rounds are enough; then the trees are grown again on everything.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from model_server.judging.questions import Plan
from model_server.ranking.boosting import TreeOptions, best_rounds, boosters
from model_server.ranking.examples import Examples, described, one_behind_the_other
from model_server.ranking.facts import ItemFacts
from model_server.ranking.promotion import Promoting
from model_server.ranking.ranker import Ranker, RankingOptions
from model_server.ranking.tables import GrowingTables, fit_tables

AT_ONCE: Final = 43
_MORE_ROUNDS: Final = 1.1
"""So many times the rounds that were enough, since there is more to learn from once nothing is held out."""


@dataclass(frozen=True, slots=True)
class RankerTraining:
    """How it is trained.

    Args:
        seeds: one ranker each; their scores are added.
        held_out: share of the questions, the newest, that say how many rounds are enough.
        negatives: share of the candidates that were not taken that is learned from.
        trees: how they are grown.
    """

    seeds: tuple[int, ...] = (0, 1)
    held_out: float = 0.15
    negatives: float = 0.2
    trees: TreeOptions = field(default_factory=TreeOptions)


@dataclass(frozen=True, slots=True, eq=False)
class Shop:
    """What training is told of the shop: its items, its time zone, its promotions."""

    facts: ItemFacts
    zone: str
    promoting: Promoting


@dataclass(frozen=True, slots=True, eq=False)
class TrainedRanker:
    """What training gives: the ranker, tables as of the end of the plan, and how it went."""

    ranker: Ranker
    tables: GrowingTables
    report: Mapping[str, float]


def train_ranker(plan: Plan, shop: Shop, options: RankingOptions, training: RankerTraining) -> TrainedRanker:
    """From a plan whose questions lie in the training part.

    Raises:
        ValueError: there is nothing before the questions, nobody took any candidate, or all was asked at one instant.
    """
    if not len(plan.training):
        raise ValueError("nothing lies before the questions")
    started = time.perf_counter()
    now_ms = int(plan.training.ts_ms[-1])
    tables = GrowingTables(fit_tables(plan.training, shop.facts, shop.zone, now_ms), plan.training)
    examples = collect(plan, tables, shop.promoting, options, training)
    described_s = time.perf_counter() - started
    if not examples.taken.any():
        raise ValueError("no candidate was taken: there is nothing to learn from")
    newest = examples.now_ms >= np.quantile(examples.now_ms, 1 - training.held_out)
    if newest.all():
        raise ValueError("all was asked at one instant: there is nothing to choose the rounds by")
    rounds = best_rounds(examples.select(~newest), examples.select(newest), training.trees, training.seeds[0])
    ranker = Ranker(boosters(examples, training.trees, round(rounds * _MORE_ROUNDS), training.seeds), options)
    report = {
        "questions": len(examples.sizes),
        "rows": len(examples.taken),
        "rounds": float(rounds),
        "describe_s": described_s,
        "grow_s": time.perf_counter() - started - described_s,
    }
    return TrainedRanker(ranker, tables, report)


def collect(
    plan: Plan, tables: GrowingTables, promoting: Promoting, options: RankingOptions, training: RankerTraining
) -> Examples:
    """The plan's questions as rows; those in which no candidate was taken are left out."""
    rng, parts = np.random.default_rng(training.seeds[0]), list[Examples]()
    for step in plan.steps(AT_ONCE):
        if step.question is not None:
            now_ms = int(step.question.cases.now_ms[0])
            part = described(step.question, tables.at(now_ms), promoting, options)
            parts.append(part.thinned(training.negatives, rng))
        tables.observe(step.happened)
    return one_behind_the_other(parts)
