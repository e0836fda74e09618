"""Whether a version gets a ranker for lists in which things come back: where people do come back, and where it wins.

It is trained on the older nine tenths of the training part and asked for baskets of the newest tenth, as it will be
served: with tables that go on, and told of promotions where the data tell of them. The blend of the same version is
asked the same. Its network has seen these baskets in training and the ranker has not, so a ranker that wins wins by
more than is measured.

The work is bounded, not the clock, so that the same data gives the same version on any machine: the newest two million
interactions, and at most 12,000 questions, fewer of a catalogue of more than 100,000 items.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.data.interactions import Dataset, Interactions, split_newest
from model_server.evaluation.asking import AS_IT_IS, ask, unchanged
from model_server.evaluation.basket import BasketRequest, Task, basket_numbers, basket_plan
from model_server.evaluation.facts import item_facts
from model_server.evaluation.live_version import Surroundings
from model_server.evaluation.ranked import NOT_RECENT, as_served, shop_of, train_on
from model_server.evaluation.recommender import riverrun_again
from model_server.evaluation.tally import Answers
from model_server.judging.cases import Recommender
from model_server.judging.questions import Plan
from model_server.ranking.counts import first_times
from model_server.ranking.files import StoredRanker
from model_server.ranking.names import names_of
from model_server.ranking.train import TrainedRanker
from model_server.registry.version import TrainedModel
from model_server.text.encoder import TextEncoder
from model_server.training.run import TrainingJob

LEAST_REPEATS: Final = 0.15
"""Of a log that knows no baskets: so large a share of what visits hold must have been in an earlier visit."""

_NEWEST: Final = 2_000_000
_CUT: Final = 0.9
_VALIDATION: Final = 500  # questions
_LEAST: Final = 100
_MOST: Final = 12_000  # questions: how many there are says the most, 4 ms each with 92,000 items
_MANY_ITEMS: Final = 100_000


@dataclass(frozen=True, slots=True)
class RankerGain:
    """What the validation questions said of the ranker and of the blend."""

    questions: int
    ranker_hr10: float
    ranker_ndcg10: float
    blend_hr10: float
    blend_ndcg10: float
    error: float

    @property
    def wins(self) -> bool:
        """Whether the ranker's NDCG@10 is higher by more than one standard error (paired, users as clusters)."""
        return self.ranker_ndcg10 - self.blend_ndcg10 > self.error

    def metrics(self) -> dict[str, float]:
        """As they stand in metrics.json."""
        return {
            "ranker_questions": float(self.questions),
            "ranker_hr10": self.ranker_hr10,
            "ranker_ndcg10": self.ranker_ndcg10,
            "ranker_blend_hr10": self.blend_hr10,
            "ranker_blend_ndcg10": self.blend_ndcg10,
            "ranker_gain_error": self.error,
        }


def with_ranker(
    model: TrainedModel, job: TrainingJob, encoder: TextEncoder, seed: int, say: Callable[[str], object]
) -> TrainedModel:
    """The model with a ranker, where people come back for things and it beats the blend; else as it was."""
    known = replace(job.dataset, interactions=split_newest(job.interactions, _NEWEST).after)
    if not comes_back(known.interactions):
        return model
    plan = _validation(known, seed)
    trained = None if plan is None else _trained(known, plan, seed)
    if plan is None or trained is None:
        return model
    say("People come back for what they had: a ranker was trained for these lists.")
    promotions = known.shop is not None
    stored = _stored(trained, plan.training, promotions=promotions)
    surroundings = Surroundings(known.catalog, encoder, job.popularity_half_life_days)
    served = as_served(stored, plan.training, shop_of(known).promoting)
    gain = _gain(known, plan, served, riverrun_again(model, surroundings, plan.training))
    say(f"NDCG@10 of {gain.questions} baskets: ranker {gain.ranker_ndcg10:.4f}, blend {gain.blend_ndcg10:.4f}.")
    model = replace(model, metrics=model.metrics | gain.metrics())
    if not gain.wins:
        return model
    log = known.interactions
    trained.tables.observe(log.take(slice(len(plan.training), None)))
    return replace(model, ranker=_stored(trained, log, promotions=promotions))


def comes_back(log: Interactions) -> bool:
    """Whether people take the same things again: they do where baskets are known, else as `LEAST_REPEATS` says."""
    if log.baskets is not None or not len(log):
        return log.baskets is not None
    _, once = np.unique(basket_numbers(log) * len(log.item_ids) + log.items, return_index=True)
    return float((~first_times(log.take(np.sort(once)))).mean()) >= LEAST_REPEATS


def _validation(known: Dataset, seed: int) -> Plan | None:
    share = min(1.0, _VALIDATION / max(1, _later_baskets(known.interactions, _CUT)))
    plan = basket_plan(known, BasketRequest(Task.NEXT, train_share=_CUT, share=share, seed=seed))
    return plan if plan.cases >= _LEAST else None


def _trained(known: Dataset, plan: Plan, seed: int) -> TrainedRanker | None:
    """From the validation's training part; None where that asks too little, or nobody took what can be offered."""
    later = _later_baskets(plan.training, NOT_RECENT)
    questions = min(later, _MOST * _MANY_ITEMS // max(_MANY_ITEMS, len(known.catalog)))
    if questions < _LEAST:
        return None
    part = replace(known, interactions=plan.training)
    try:
        return train_on(part, shop_of(part), Task.NEXT, (seed,), questions / later)
    except ValueError:
        return None


def _later_baskets(log: Interactions, cut: float) -> int:
    """How many baskets begin behind this share of the lines."""
    numbers = basket_numbers(log)
    return int(numbers.max(initial=-1)) - int(numbers[: int(len(log) * cut)].max(initial=-1))


def _stored(trained: TrainedRanker, log: Interactions, *, promotions: bool) -> StoredRanker:
    tables = trained.tables.at(int(log.ts_ms[-1]))
    return StoredRanker(trained.ranker, tables, log, names_of(log), promotions)


def _gain(known: Dataset, plan: Plan, ranker: Recommender, blend: Recommender) -> RankerGain:
    ranked, blended = (_answers(known, plan, each) for each in (ranker, blend))
    ahead = ranked.metrics.ndcg10 - blended.metrics.ndcg10
    return RankerGain(
        questions=len(ranked),
        ranker_hr10=float(ranked.metrics.hr10.mean()),
        ranker_ndcg10=float(ranked.metrics.ndcg10.mean()),
        blend_hr10=float(blended.metrics.hr10.mean()),
        blend_ndcg10=float(blended.metrics.ndcg10.mean()),
        error=_error(ahead, ranked.users),
    )


def _answers(known: Dataset, plan: Plan, recommender: Recommender) -> Answers:
    facts = item_facts(known.catalog, plan.training)
    return ask(plan, recommender, facts, {AS_IT_IS: unchanged}, lambda _done, _all: None)[AS_IT_IS]


def _error(ahead: NDArray[np.float64], users: NDArray[np.int64]) -> float:
    """The standard error of the mean; a user's cases go together."""
    of_user = np.bincount(users, weights=ahead - ahead.mean())
    return float(np.sqrt((of_user**2).sum()) / len(ahead))
