"""What puts candidates in order: trees and small networks, which err differently, so together they err less.

Trees' scores have no scale of their own; they are brought to that of the networks' logits.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import lightgbm
import numpy as np
from numpy.typing import NDArray

from model_server.ranking.network import RankingNetwork


@dataclass(frozen=True, slots=True, eq=False)
class Scorers:
    """See the module.

    Args:
        boosters: LightGBM's trees, trained on `FEATURES` in their order; their scores are added.
        network: its scores are added to theirs.
        balance: by which the boosters' sum is multiplied before.
    """

    boosters: Sequence[lightgbm.Booster]
    network: RankingNetwork | None = None
    balance: float = 1.0

    def scores(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """(C, F) -> (C,), to be compared within a user only."""
        if not len(matrix):
            return np.zeros(0)
        grown = self.balance * self._grown(matrix)
        return grown if self.network is None else grown + self.network.scores(matrix)

    def balanced(self, matrix: NDArray[np.float32], questions: NDArray[np.int64]) -> "Scorers":
        """The same, both kinds of equal weight on (C, F) candidates of these (C,) questions."""
        if self.network is None:
            return self
        grown, learned = (_spread(each, questions) for each in (self._grown(matrix), self.network.scores(matrix)))
        return replace(self, balance=learned / max(grown, float(np.finfo(np.float32).tiny)))

    def _grown(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        total = np.zeros(len(matrix))
        for booster in self.boosters:
            total += np.asarray(booster.predict(matrix, num_threads=1))
        return total


def _spread(scores: NDArray[np.float64], questions: NDArray[np.int64]) -> float:
    """The standard deviation within a question."""
    means = np.bincount(questions, weights=scores) / np.maximum(np.bincount(questions), 1)
    return float(np.sqrt(np.mean((scores - means[questions]) ** 2)))
