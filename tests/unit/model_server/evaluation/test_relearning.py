"""What learns again learns from all that has happened by then, and from nothing that comes later."""

from dataclasses import dataclass, field
from itertools import count

import numpy as np
from numpy.typing import NDArray

from app.data.interactions import Interactions
from app.data.local_time import MS_PER_DAY
from model_server.evaluation.asking import AS_IT_IS, ask, unchanged
from model_server.evaluation.facts import item_facts
from model_server.evaluation.protocols import StreamOptions, stream
from model_server.evaluation.relearning import Relearning
from model_server.judging.cases import Cases
from tests.support.model import dataset_of, interactions_of

LOG = interactions_of([(item % 2, item, item * MS_PER_DAY) for item in range(10)], users=2, items=10)


@dataclass
class Learned:
    """Puts the newest item that it was trained on first."""

    part: Interactions
    observed: list[int] = field(default_factory=list)
    online = True

    def scores(self, cases: Cases) -> NDArray[np.floating]:
        scores = np.zeros((len(cases), 10))
        scores[:, self.part.items[-1]] = 1
        return scores

    def observe(self, events: Interactions) -> None:
        self.observed += events.items.tolist()


def test_it_is_made_anew_of_what_happened_before_the_question_whenever_it_is_old() -> None:
    made: list[Learned] = []

    def fit(part: Interactions) -> Learned:
        made.append(Learned(part))
        return made[-1]

    plan = stream(LOG, StreamOptions(cut=4))
    seconds = count(step=5)  # a look at the clock takes five
    learning = Relearning(fit, LOG, len(plan.training), 3 * MS_PER_DAY, lambda: float(next(seconds)))
    answers = ask(plan, learning, item_facts(dataset_of(LOG).catalog, plan.training), {AS_IT_IS: unchanged}, _nobody)
    # Day 3 was the last of the training part, so days 6 and 9 are those of new trainings, asked before they happen.
    assert [each.part.items.tolist() for each in made] == [[*range(4)], [*range(6)], [*range(9)]]
    assert [each.observed for each in made] == [[4, 5], [6, 7, 8], [9]]
    assert learning.learning_s == 10.0  # two trainings; the first one is a fit as everybody's
    # What a user had is hidden: item 3 is shown to the other user alone, 5 and 8 likewise.
    assert answers[AS_IT_IS].lists[:, 0].tolist() == [3, 0, 5, 0, 5, 8]


def _nobody(_done: int, _total: int) -> None:
    """There is no bar."""
