"""A ranking network finds what was planted, is the same twice and after being saved, and reads rows one by one."""

from functools import cache

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from model_server.ranking.boosting import TreeOptions, boosters
from model_server.ranking.examples import Examples
from model_server.ranking.features import FEATURES
from model_server.ranking.network import RankingNetwork, Shape, arrays_of, network_of
from model_server.ranking.network_training import NetworkOptions, list_loss, train_network
from model_server.ranking.scorers import Scorers

LISTS, LONG = 400, 12
OPTIONS = NetworkOptions(Shape(hidden=(16, 8)), epochs=6, rate=1e-2)


def lists(seed: int) -> Examples:
    """Of every list that candidate was taken whose two first columns are both high; a third is often missing."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(LISTS * LONG, len(FEATURES))).astype(np.float32)
    rows[:, 3] = 7
    worth = np.minimum(rows[:, 0], rows[:, 1]).reshape(LISTS, LONG)
    taken = worth == worth.max(axis=1, keepdims=True)
    rows[rng.random(len(rows)) < 0.5, 2] = np.nan
    return Examples(rows, taken.ravel(), np.full(LISTS, LONG), np.arange(LISTS))


@cache
def trained() -> RankingNetwork:
    return train_network(lists(0), 1.0, OPTIONS, seed=0)


def first_is_right(scores: NDArray[np.float64], examples: Examples) -> float:
    best = scores.reshape(LISTS, LONG).argmax(axis=1)
    return float(examples.taken.reshape(LISTS, LONG)[np.arange(LISTS), best].mean())


def test_what_was_planted_is_found() -> None:
    asked = lists(1)
    assert first_is_right(trained().scores(asked.features), asked) > 0.55
    assert first_is_right(asked.features[:, 0].astype(np.float64), asked) < 0.4


def test_a_row_alone_is_scored_as_among_others() -> None:
    rows = lists(1).features[:20]
    alone = np.concatenate([trained().scores(rows[place : place + 1]) for place in range(len(rows))])
    assert trained().scores(rows) == pytest.approx(alone, abs=1e-5)


def test_the_same_seed_gives_the_same_network_and_another_one_another() -> None:
    rows = lists(1).features
    short = NetworkOptions(Shape(hidden=(8,)), epochs=1)
    first, again, other = (train_network(lists(0), 1.0, short, seed).scores(rows) for seed in (3, 3, 4))
    assert (first == again).all()
    assert (first != other).any()


def test_what_was_saved_scores_the_same() -> None:
    rows = lists(1).features
    loaded = network_of(arrays_of(trained()), trained().shape)
    assert (loaded.scores(rows) == trained().scores(rows)).all()


def test_numbers_of_another_network_are_refused() -> None:
    with pytest.raises(ValueError, match="size mismatch"):
        network_of(arrays_of(trained()), Shape(hidden=(4, 4)))


def test_the_loss_is_the_mean_surprise_of_what_was_taken() -> None:
    logits = torch.tensor([0.0, 0.0, 1.0, 2.0, 3.0]).log1p().expand(2, 5)  # odds of 1, 1 and 2, 3, 4
    taken = torch.tensor([1.0, 0.0, 1.0, 0.0, 1.0])
    wanted = (np.log(2) + (np.log(9 / 2) + np.log(9 / 4)) / 2) / 2
    loss = list_loss(logits, taken, torch.tensor([0, 0, 1, 1, 1]), 2)
    assert float(loss) == pytest.approx(wanted, rel=1e-5)


def test_trees_and_networks_weigh_the_same() -> None:
    examples = lists(0)
    grown = boosters(examples, TreeOptions(), 5, seeds=(0,))
    both = Scorers(grown, trained()).balanced(examples.features, examples.questions)
    spreads = []
    for scores in (both.balance * Scorers(grown).scores(examples.features), trained().scores(examples.features)):
        of_list = scores.reshape(LISTS, LONG)
        spreads.append((of_list - of_list.mean(axis=1, keepdims=True)).std())
    assert spreads[0] == pytest.approx(spreads[1])
