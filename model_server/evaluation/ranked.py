"""The learned ranker behind the interface through which models and baselines are compared."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.data.interactions import Dataset, Interactions
from model_server.evaluation.basket import BasketRequest, Task, basket_plan
from model_server.evaluation.cases import Cases
from model_server.ranking.candidates import CandidateOptions
from model_server.ranking.facts import facts_of
from model_server.ranking.lines import moments_of
from model_server.ranking.past import past_of
from model_server.ranking.promotion import Promoting, nothing_promoted, promoting
from model_server.ranking.ranker import Ranker, RankingOptions
from model_server.ranking.tables import GrowingTables
from model_server.ranking.train import RankerTraining, Shop, TrainedRanker, train_ranker

NOT_RECENT: Final = 0.7
"""Share of the training part from which the item tables of training come; the questions lie behind it."""

# Of discover few candidates are right, so it learns from most baskets and from few of the wrong candidates of each.
_OPTIONS: Final = {
    Task.NEXT: RankingOptions(CandidateOptions()),
    Task.CART: RankingOptions(CandidateOptions()),
    Task.DISCOVER: RankingOptions(CandidateOptions(own=0, each=100)),
    Task.PROMOTION: RankingOptions(CandidateOptions(promoted_only=True)),
}
_SHARES: Final = {Task.NEXT: 0.35, Task.CART: 0.35, Task.DISCOVER: 0.8, Task.PROMOTION: 0.5}
_NEGATIVES: Final = {Task.NEXT: 0.4, Task.CART: 0.4, Task.DISCOVER: 0.2, Task.PROMOTION: 1.0}


class RankedRecommender:
    """The ranker with tables that follow what happens.

    Args:
        ranker: trained.
        tables: up to date; they go on observing.
        promoting: says what is promoted.
    """

    online = False

    def __init__(self, ranker: Ranker, tables: GrowingTables, promoting: Promoting) -> None:
        self._ranker = ranker
        self._tables = tables
        self._promoting = promoting

    def scores(self, cases: Cases) -> NDArray[np.floating]:
        """(B, N); minus infinity for what is no candidate."""
        tables = self._tables.at(int(cases.now_ms[0]))
        moments = moments_of(cases)
        past = past_of(cases.histories, moments, self._ranker.options.window)
        ranked = self._ranker.rank(moments, past, tables, self._promoting)
        scores = np.full((len(cases), len(tables.facts)), -np.inf)
        scores[ranked.owners, ranked.items] = ranked.scores
        return scores

    def observe(self, events: Interactions) -> None:
        """The tables count on; the trees stay as they are."""
        self._tables.observe(events)


def train_for_task(known: Dataset, task: Task, seeds: tuple[int, ...]) -> TrainedRanker:
    """A ranker from what is known before the cut."""
    plan = basket_plan(known, BasketRequest(task, train_share=NOT_RECENT, share=_SHARES[task], seed=seeds[0]))
    training = RankerTraining(seeds=seeds, negatives=_NEGATIVES[task])
    return train_ranker(plan, shop_of(known), _OPTIONS[task], training)


def shop_of(dataset: Dataset) -> Shop:
    """What a data set says of its shop."""
    if dataset.shop is None:
        return Shop(facts_of(dataset.catalog), "UTC", nothing_promoted)
    return Shop(facts_of(dataset.catalog), dataset.shop.zone, promoting(dataset.shop))
