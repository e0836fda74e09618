"""The learned ranker behind the interface through which models and baselines are compared."""

from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from app.data.interactions import Dataset, Interactions
from model_server.evaluation.basket import BasketRequest, Task, basket_plan
from model_server.judging.cases import Cases
from model_server.ranking.candidates import CandidateOptions
from model_server.ranking.facts import facts_of
from model_server.ranking.files import StoredRanker
from model_server.ranking.lines import moments_of
from model_server.ranking.live import LIVE
from model_server.ranking.past import past_of
from model_server.ranking.promotion import Promoting, nothing_promoted, promoting
from model_server.ranking.ranker import Ranker, RankingOptions
from model_server.ranking.tables import GrowingTables, ItemTables
from model_server.ranking.train import RankerTraining, Shop, TrainedRanker, train_ranker

_TOGETHER: Final = 2
"""So many rankers add up their scores."""
NOT_RECENT: Final = 0.7
"""Share of the training part from which the item tables of training come; the questions lie behind it."""

_OPTIONS: Final = {
    Task.NEXT: RankingOptions(CandidateOptions()),
    Task.CART: RankingOptions(CandidateOptions()),
    Task.DISCOVER: RankingOptions(CandidateOptions(own=0, each=100)),
    Task.PROMOTION: RankingOptions(CandidateOptions(promoted_only=True)),
}  # a product of the task `new` has no counts to learn from
# Of the newer baskets: what one core describes and learns in a few minutes.
_SHARES: Final = {Task.NEXT: 1.0, Task.CART: 0.7, Task.DISCOVER: 0.7, Task.PROMOTION: 1.0}
# How many questions there are says more than how many of the wrong candidates of each are kept.
_NEGATIVES: Final = {Task.NEXT: 0.2, Task.CART: 0.2, Task.DISCOVER: 0.15, Task.PROMOTION: 0.5}


class Tables(Protocol):
    """What is known of items as time goes on."""

    def at(self, now_ms: int) -> ItemTables:
        """Of that moment."""

    def observe(self, events: Interactions) -> None:
        """These happened next."""


class RankedRecommender:
    """The ranker with what is known of items.

    Args:
        ranker: trained.
        tables: up to date; they are told what happens.
        promoting: says what is promoted.
    """

    online = False

    def __init__(self, ranker: Ranker, tables: Tables, promoting: Promoting) -> None:
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
        """The tables may count on; the trees stay as they are."""
        self._tables.observe(events)


def as_served(stored: StoredRanker, part: Interactions, promoting: Promoting) -> RankedRecommender:
    """What a model server makes of a version's ranker: its tables go on, as they do there.

    Args:
        stored: the version's.
        part: what happened until now; users, items and places are numbered as in the version.
        promoting: of the shop; not heard where the ranker did not learn from promotions.
    """
    tables = GrowingTables(stored.tables, part, LIVE)
    return RankedRecommender(stored.ranker, tables, promoting if stored.promotions else nothing_promoted)


def train_for_task(known: Dataset, task: Task, seed: int) -> TrainedRanker:
    """A ranker from what is known before the cut; another seed shares no tree with it."""
    seeds = tuple(range(_TOGETHER * seed, _TOGETHER * (seed + 1)))
    return train_on(known, shop_of(known), task, seeds, _SHARES[task])


def train_on(known: Dataset, shop: Shop, task: Task, seeds: tuple[int, ...], share: float) -> TrainedRanker:
    """The same from this share of the newer baskets, in a shop of which this is said.

    Raises:
        ValueError: there is nothing to learn from.
    """
    plan = basket_plan(known, BasketRequest(task, train_share=NOT_RECENT, share=share, seed=seeds[0]))
    training = RankerTraining(seeds=seeds, negatives=_NEGATIVES[task])
    return train_ranker(plan, shop, _OPTIONS[task], training)


def shop_of(dataset: Dataset) -> Shop:
    """What a data set says of its shop."""
    if dataset.shop is None:
        return Shop(facts_of(dataset.catalog), "UTC", nothing_promoted)
    return Shop(facts_of(dataset.catalog), dataset.shop.zone, promoting(dataset.shop))
