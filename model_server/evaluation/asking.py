"""Puts a plan's questions to a recommender, as they are and in changed forms."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model_server.evaluation.baselines.context import RatingPredictor
from model_server.evaluation.cases import Cases, Recommender
from model_server.evaluation.facts import ItemFacts
from model_server.evaluation.questions import Plan, Question
from model_server.evaluation.tally import Answers, Tally, cases_at_once

OnCases = Callable[[int, int], None]
"""Called with (cases done, all cases)."""

Change = Callable[[Cases], Cases]
"""What a recommender is told instead of the truth: an older state, a history with noise."""

AS_IT_IS: Final = "as it is"


def unchanged(cases: Cases) -> Cases:
    """The truth."""
    return cases


def ask(
    plan: Plan, recommender: Recommender, facts: ItemFacts, changes: Mapping[str, Change], on_cases: OnCases
) -> dict[str, Answers]:
    """Ask everything, once in each form; what is hidden and what is right stays the same in all of them.

    Args:
        plan: the questions.
        recommender: fitted on the plan's training part; an online one observes every step before it is asked the next.
        facts: of the items.
        changes: name -> what is changed; `{AS_IT_IS: unchanged}` to ask the plain questions only.
        on_cases: progress.

    Returns:
        The answers in each form, by the names of `changes`.
    """
    tallies = {name: Tally(facts) for name in changes}
    at_once = 1 if recommender.online and plan.live else cases_at_once(len(facts))
    done = 0
    for step in plan.steps(at_once):
        if step.question is not None:
            for name, change in changes.items():
                _put(recommender, step.question, change, tallies[name])
            done += len(step.question)
            on_cases(done, plan.cases)
        recommender.observe(step.happened)
    return {name: tally.answers() for name, tally in tallies.items()}


def _put(recommender: Recommender, question: Question, change: Change, tally: Tally) -> None:
    told = change(question.cases)
    stars = _predicted(recommender, question, told)
    tally.add(question, recommender.scores(told), stars)


def _predicted(recommender: Recommender, question: Question, told: Cases) -> NDArray[np.floating] | None:
    if question.ratings is None or not isinstance(recommender, RatingPredictor):
        return None
    return recommender.ratings(told, np.concatenate(question.relevant))
