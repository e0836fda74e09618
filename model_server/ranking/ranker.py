"""The second stage: for users at a moment, their candidates in order.

Trees grown by LightGBM (lambdarank); several of them, of different seeds, add up their scores.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from model_server.ranking.candidates import CandidateOptions, Candidates, candidates
from model_server.ranking.features import features
from model_server.ranking.frame import Frame
from model_server.ranking.lines import Moments
from model_server.ranking.past import Past
from model_server.ranking.promotion import Promoting
from model_server.ranking.sources import Pooled, pooled
from model_server.ranking.tables import ItemTables

if TYPE_CHECKING:
    import lightgbm


@dataclass(frozen=True, slots=True)
class RankingOptions:
    """What is described, in training as in serving.

    Args:
        candidates: how many.
        window: newest interactions of a user that are known one by one; the state keeps 50 to 64.
    """

    candidates: CandidateOptions
    window: int = 64


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """C pairs sorted by (owner, item), their features (C, F), and what the sources said to the owners."""

    pairs: Candidates
    features: NDArray[np.float32]
    said: Pooled


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """C pairs sorted by owner, the best of each first; scores mean something within an owner only."""

    owners: NDArray[np.int64]
    items: NDArray[np.int64]
    scores: NDArray[np.float64]
    said: Pooled


def describe(
    moments: Moments, past: Past, tables: ItemTables, promoting: Promoting, options: RankingOptions
) -> Described:
    """The candidates of these users and their features."""
    promoted = promoting(moments)
    said = pooled(moments, past.own, tables, promoted)
    pairs = candidates(moments, past.own, tables, said, promoted, options.candidates)
    frame = Frame(moments, past.newest, past.own, tables, said, promoted, pairs)
    return Described(pairs, features(frame), said)


class Ranker:
    """See the module.

    Args:
        boosters: trained on `FEATURES` in their order.
        options: as in training.
    """

    def __init__(self, boosters: Sequence["lightgbm.Booster"], options: RankingOptions) -> None:
        self.boosters = tuple(boosters)
        self.options = options

    def rank(self, moments: Moments, past: Past, tables: ItemTables, promoting: Promoting) -> Ranked:
        """Every user's candidates in order."""
        described = describe(moments, past, tables, promoting, self.options)
        scores = self.scores(described.features)
        order = np.lexsort((-scores, described.pairs.owners))
        return Ranked(described.pairs.owners[order], described.pairs.items[order], scores[order], described.said)

    def scores(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """(C, F) -> (C,), to be compared within a user only."""
        if not len(matrix):
            return np.zeros(0)
        total = sum(np.asarray(booster.predict(matrix, num_threads=1)) for booster in self.boosters)
        return np.asarray(total, dtype=np.float64)
