"""Questions as rows to learn from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_server.judging.questions import Question
from model_server.ranking.features import FEATURES
from model_server.ranking.lines import moments_of
from model_server.ranking.past import past_of
from model_server.ranking.promotion import Promoting
from model_server.ranking.ranker import RankingOptions, describe
from model_server.ranking.tables import ItemTables


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Q questions: rows of features (C, F), whether each was taken (C,), rows a question (Q,), and its moment (Q,)."""

    features: NDArray[np.float32]
    taken: NDArray[np.bool_]
    sizes: NDArray[np.int64]
    now_ms: NDArray[np.int64]

    @property
    def questions(self) -> NDArray[np.int64]:
        """(C,) the question of each row."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    def select(self, questions: NDArray[np.bool_]) -> "Examples":
        """Those questions."""
        rows = np.repeat(questions, self.sizes)
        return Examples(self.features[rows], self.taken[rows], self.sizes[questions], self.now_ms[questions])

    def taught(self) -> "Examples":
        """The questions in which a candidate was taken; the others teach nothing."""
        return self.select(np.bincount(self.questions, weights=self.taken, minlength=len(self.sizes)) > 0)

    def thinned(self, share: float, rng: np.random.Generator) -> "Examples":
        """What was taken, and this share of what was not.

        Drawn blindly: where only what is hard to tell apart is kept, trees forget what is easy (see DECISIONS.md).
        """
        kept = self.taken | (rng.random(len(self.taken)) < share)
        sizes = np.bincount(self.questions[kept], minlength=len(self.sizes))
        return Examples(self.features[kept], self.taken[kept], sizes, self.now_ms)


def described(question: Question, tables: ItemTables, promoting: Promoting, options: RankingOptions) -> Examples:
    """All candidates of the cases in which one was taken."""
    cases = question.cases
    moments = moments_of(cases)
    found = describe(moments, past_of(cases.histories, moments, options.window), tables, promoting, options)
    owners, span = found.pairs.owners, len(tables.facts)
    relevant = [owner * span + items.astype(np.int64) for owner, items in enumerate(question.relevant)]
    taken = np.isin(owners * span + found.pairs.items, np.concatenate(relevant))
    return Examples(found.features, taken, np.bincount(owners, minlength=len(cases)), cases.now_ms).taught()


def one_behind_the_other(parts: Sequence[Examples]) -> Examples:
    """All questions of the parts in their order."""
    return Examples(
        features=np.concatenate([np.zeros((0, len(FEATURES)), np.float32), *(part.features for part in parts)]),
        taken=np.concatenate([np.zeros(0, np.bool_), *(part.taken for part in parts)]),
        sizes=np.concatenate([np.zeros(0, np.int64), *(part.sizes for part in parts)]),
        now_ms=np.concatenate([np.zeros(0, np.int64), *(part.now_ms for part in parts)]),
    )
