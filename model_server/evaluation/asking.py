"""Puts a plan's questions to a recommender, as they are and in changed forms."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model_server.evaluation.baselines.context import RatingPredictor
from model_server.evaluation.facts import ItemFacts
from model_server.evaluation.tally import Answers, Tally, cases_at_once
from model_server.judging.cases import Cases, Recommender
from model_server.judging.questions import Plan, Question

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
    at_once = 1 if recommender.online and plan.live else max(1, cases_at_once(len(facts)) // len(changes))
    done = 0
    for step in plan.steps(at_once):
        if step.question is not None:
            _put(recommender, step.question, changes, tallies)
            done += len(step.question)
            on_cases(done, plan.cases)
        recommender.observe(step.happened)
    return {name: tally.answers() for name, tally in tallies.items()}


def _put(
    recommender: Recommender, question: Question, changes: Mapping[str, Change], tallies: Mapping[str, Tally]
) -> None:
    """Ask one question in all its forms at once: a call costs more than a case."""
    told = _joined([change(question.cases) for change in changes.values()])
    scores = recommender.scores(told)
    stars = _predicted(recommender, question, told, forms=len(changes))
    for place, name in enumerate(changes):
        rows = slice(place * len(question), (place + 1) * len(question))
        tallies[name].add(question, scores[rows], None if stars is None else stars[rows])


def _joined(forms: Sequence[Cases]) -> Cases:
    """All cases of the first form, then those of the second, and so on."""
    if len(forms) == 1:
        return forms[0]
    carts = [cart for form in forms for cart in form.carts or ()]
    places = [form.places for form in forms if form.places is not None]
    return Cases(
        histories=[history for form in forms for history in form.histories],
        users=np.concatenate([form.users for form in forms]),
        now_ms=np.concatenate([form.now_ms for form in forms]),
        carts=carts or None,
        places=np.concatenate(places) if places else None,
    )


def _predicted(recommender: Recommender, question: Question, told: Cases, forms: int) -> NDArray[np.floating] | None:
    if question.ratings is None or not isinstance(recommender, RatingPredictor):
        return None
    return recommender.ratings(told, np.tile(np.concatenate(question.relevant), forms))
