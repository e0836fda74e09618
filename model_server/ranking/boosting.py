"""Trees that put the rows of each question in order: LightGBM's lambdarank (Burges 2010), one thread, repeatable."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from model_server.ranking.examples import Examples
from model_server.ranking.features import FEATURES

if TYPE_CHECKING:
    import lightgbm

_PATIENCE: Final = 30


@dataclass(frozen=True, slots=True)
class TreeOptions:
    """How they are grown.

    Args:
        truncation: pairs count in which one stands so high.
        leaves, rate: of each tree.
        rounds: at most so many trees.
    """

    truncation: int = 15
    leaves: int = 31
    rate: float = 0.1
    rounds: int = 400


def best_rounds(grown: Examples, held_out: Examples, options: TreeOptions, seed: int) -> int:
    """After how many trees, grown on the first, the others are put in order best."""
    import lightgbm  # noqa: PLC0415  # brings scikit-learn: a second, and 70 MB

    data = _dataset(grown)
    stopping = lightgbm.early_stopping(_PATIENCE, verbose=False)
    booster = lightgbm.train(
        _parameters(options, seed), data, options.rounds, valid_sets=[_dataset(held_out, data)], callbacks=[stopping]
    )
    return int(booster.best_iteration)


def boosters(examples: Examples, options: TreeOptions, rounds: int, seeds: tuple[int, ...]) -> "list[lightgbm.Booster]":
    """One for each seed, so many rounds each."""
    import lightgbm  # noqa: PLC0415  # as above

    data = _dataset(examples)
    return [lightgbm.train(_parameters(options, seed), data, rounds) for seed in seeds]


def _parameters(options: TreeOptions, seed: int) -> dict[str, Any]:
    return {
        "objective": "lambdarank",
        "metric": "ndcg",
        "eval_at": [10],
        "lambdarank_truncation_level": options.truncation,
        "num_leaves": options.leaves,
        "learning_rate": options.rate,
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


def _dataset(examples: Examples, reference: "lightgbm.Dataset | None" = None) -> "lightgbm.Dataset":
    import lightgbm  # noqa: PLC0415  # as above

    return lightgbm.Dataset(
        examples.features,
        examples.taken.astype(np.int8),
        group=examples.sizes,
        reference=reference,
        feature_name=list(FEATURES),
        params={"max_bin": 127},
    )
