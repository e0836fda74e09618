"""Collects, case by case, what a recommender showed and how right it was."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from app.data.interactions import Interactions
from model_server.evaluation.facts import ItemFacts
from model_server.evaluation.lists import miscalibration
from model_server.judging.metrics import CaseMetrics, case_metrics, relevant_ranks, top_items
from model_server.judging.questions import Question

_MOST_CASES: Final = 256
_SCORES_AT_ONCE: Final = 4_000_000  # 32 MB of float64, of which a handful of copies live at a time


def cases_at_once(items: int) -> int:
    """How many cases are scored together, so that memory stays bounded whatever the size of the catalog."""
    return min(_MOST_CASES, max(1, _SCORES_AT_ONCE // max(items, 1)))


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """How one recommender did in C cases.

    Args:
        users: (C,) whose case it was.
        metrics: of each case.
        lists: (C, 10) what was shown, best first, -1 where the list is shorter.
        history_lengths: (C,) how many events of the user there had been.
        miscalibration: (C,) see `lists.miscalibration`; NaN where it is not defined.
        standing: (C,) how far the score of the one relevant item lies above the mean of its case's scores, in their
            standard deviations; NaN where several items are relevant. What probabilities are made of.
        kinds: (C,) as in `Question`, 0 where not known.
        ratings: (C,) as in `Question`, NaN where not known.
        predicted_ratings: (C,) what the recommender predicted for them; NaN where it does not.
    """

    users: NDArray[np.int64]
    metrics: CaseMetrics
    lists: NDArray[np.int32]
    history_lengths: NDArray[np.int64]
    miscalibration: NDArray[np.float64]
    standing: NDArray[np.float64]
    kinds: NDArray[np.int8]
    ratings: NDArray[np.float32]
    predicted_ratings: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.users)


class Tally:
    """Adds questions with a recommender's scores; works them out `cases_at_once` at a time.

    Args:
        facts: of the items.
    """

    def __init__(self, facts: ItemFacts) -> None:
        self._facts = facts
        self._at_once = cases_at_once(len(facts))
        self._waiting: list[_Asked] = []
        self._done: list[Answers] = []

    def add(
        self, question: Question, scores: NDArray[np.floating], predicted_ratings: NDArray[np.floating] | None = None
    ) -> None:
        """Take the answer to one question.

        Args:
            question: B cases.
            scores: (B, N) of the recommender; overwritten.
            predicted_ratings: (B,) the stars it predicts for the relevant items, where it does.

        Raises:
            ValueError: not one row of scores per case and one score per item, or (later) a score is NaN.
        """
        wanted = (len(question), len(self._facts))
        if scores.shape != wanted:
            raise ValueError(f"scores have the shape {scores.shape}, wanted {wanted}")
        self._waiting.append(_Asked(question, scores, predicted_ratings))
        if sum(len(asked.question) for asked in self._waiting) >= self._at_once:
            self._work_out()

    def answers(self) -> Answers:
        """Of everything that was added."""
        self._work_out()
        return _joined(self._done)

    def _work_out(self) -> None:
        asked, self._waiting = self._waiting, []
        if not asked:
            return
        scores = np.concatenate([each.scores for each in asked]) if len(asked) > 1 else asked[0].scores
        questions = [each.question for each in asked]
        relevant = [items for question in questions for items in question.relevant]
        histories = [history for question in questions for history in question.cases.histories]
        counts = np.array([len(items) for items in relevant], dtype=np.int64)
        standing = _standing(scores, relevant) if (counts == 1).all() else np.full(len(relevant), np.nan)
        _close(scores, questions)
        lists = top_items(scores)
        self._done.append(
            Answers(
                users=np.concatenate([question.cases.users for question in questions]),
                metrics=case_metrics(relevant_ranks(scores, relevant), counts),
                lists=lists,
                history_lengths=np.array([len(history) for history in histories], dtype=np.int64),
                miscalibration=self._miscalibration(histories, lists),
                standing=standing,
                kinds=np.concatenate([_kinds(question) for question in questions]),
                ratings=np.concatenate([_ratings(question) for question in questions]),
                predicted_ratings=np.concatenate([each.stars() for each in asked]),
            )
        )

    def _miscalibration(self, histories: Sequence[Interactions], lists: NDArray[np.int32]) -> NDArray[np.float64]:
        categories = self._facts.categories
        if categories is None:
            return np.full(len(lists), np.nan)
        lengths = [len(history) for history in histories]
        items = np.concatenate([history.items for history in histories])
        rows = np.repeat(np.arange(len(histories)), lengths)
        had = csr_matrix((np.ones(len(items)), (rows, items)), shape=(len(histories), len(self._facts)))
        return miscalibration(had, lists, categories)


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    question: Question
    scores: NDArray[np.floating]
    predicted_ratings: NDArray[np.floating] | None

    def stars(self) -> NDArray[np.float64]:
        if self.predicted_ratings is None:
            return np.full(len(self.question), np.nan)
        return np.asarray(self.predicted_ratings, dtype=np.float64)


def _standing(scores: NDArray[np.floating], relevant: Sequence[NDArray[np.int32]]) -> NDArray[np.float64]:
    """See `Answers.standing`; 0 where the scores do not differ or the recommender rules the item out itself."""
    shown = np.isfinite(scores)
    there = np.where(shown, scores, 0.0).astype(np.float64)
    counts = np.maximum(shown.sum(axis=1), 1)
    mean = there.sum(axis=1) / counts
    spread = np.sqrt(np.maximum((there**2).sum(axis=1) / counts - mean**2, 0.0))
    wanted = scores[np.arange(len(scores)), np.concatenate(relevant)].astype(np.float64)
    usable = np.isfinite(wanted) & (spread > 0)
    standing: NDArray[np.float64] = np.where(usable, wanted - mean, 0.0) / np.where(usable, spread, 1.0)
    return standing


def _close(scores: NDArray[np.floating], questions: Sequence[Question]) -> None:
    """Minus infinity for everything that must not be shown."""
    row = 0
    for question in questions:
        for place in range(len(question)):
            if question.allowed is not None:
                allowed = question.allowed[place]
                kept = scores[row, allowed]
                scores[row] = -np.inf
                scores[row, allowed] = kept
            if question.hidden is not None:
                scores[row, question.hidden[place]] = -np.inf
            row += 1


def _kinds(question: Question) -> NDArray[np.int8]:
    return np.zeros(len(question), np.int8) if question.kinds is None else question.kinds


def _ratings(question: Question) -> NDArray[np.float32]:
    return np.full(len(question), np.nan, np.float32) if question.ratings is None else question.ratings


def _joined(parts: Sequence[Answers]) -> Answers:
    if not parts:
        none = np.zeros(0)
        whole, lists = none.astype(np.int64), np.zeros((0, 10), np.int32)
        metrics = case_metrics(none, whole)
        return Answers(whole, metrics, lists, whole, none, none, whole.astype(np.int8), none.astype(np.float32), none)
    metrics = CaseMetrics(
        hr10=np.concatenate([part.metrics.hr10 for part in parts]),
        recall10=np.concatenate([part.metrics.recall10 for part in parts]),
        ndcg10=np.concatenate([part.metrics.ndcg10 for part in parts]),
        mrr10=np.concatenate([part.metrics.mrr10 for part in parts]),
        uncapped_recall10=np.concatenate([part.metrics.uncapped_recall10 for part in parts]),
    )
    return Answers(
        users=np.concatenate([part.users for part in parts]),
        metrics=metrics,
        lists=np.concatenate([part.lists for part in parts]),
        history_lengths=np.concatenate([part.history_lengths for part in parts]),
        miscalibration=np.concatenate([part.miscalibration for part in parts]),
        standing=np.concatenate([part.standing for part in parts]),
        kinds=np.concatenate([part.kinds for part in parts]),
        ratings=np.concatenate([part.ratings for part in parts]),
        predicted_ratings=np.concatenate([part.predicted_ratings for part in parts]),
    )
