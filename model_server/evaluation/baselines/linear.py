"""Models whose score is a weighted sum of neighbour rows: item-kNN, EASE, and both learned from baskets."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from app.data.interactions import Interactions
from model_server.counts import ease as ease_counts
from model_server.counts import item_knn as knn_counts
from model_server.counts.ease import EaseOptions
from model_server.counts.item_knn import KnnOptions
from model_server.counts.matrices import basket_items, baskets_of, user_items
from model_server.counts.neighbours import NeighbourTable, Reading, score_many
from model_server.evaluation.baselines.context import Context, Frozen
from model_server.judging.cases import Cases, Fit

Learn = Callable[[sparse.csr_array], NeighbourTable]


def item_knn(_: Context) -> Fit:
    """From users' histories, reads the user's history."""
    return lambda part: _by_history(_knn(user_items(part)), knn_counts.READING)


def ease(_: Context) -> Fit:
    """From users' histories, reads the user's history."""
    return lambda part: _by_history(_ease(user_items(part)), ease_counts.READING)


def co_purchase(_: Context) -> Fit:
    """Item-kNN from baskets, reads the cart."""
    return lambda part: _by_cart(_knn(basket_items(part)))


def basket_ease(_: Context) -> Fit:
    """EASE from baskets, reads the cart."""
    return lambda part: _by_cart(_ease(basket_items(part)))


def _knn(rows: sparse.csr_array) -> NeighbourTable:
    return knn_counts.item_knn(rows, KnnOptions())


def _ease(rows: sparse.csr_array) -> NeighbourTable:
    return ease_counts.ease(rows, EaseOptions())


def _by_history(table: NeighbourTable, reading: Reading) -> Frozen:
    def score(cases: Cases) -> NDArray[np.floating]:
        return _dense(table, [history.items for history in cases.histories], reading)

    return Frozen(score)


def _by_cart(table: NeighbourTable) -> Frozen:
    """A cart has no order, so all of it weighs alike; where there is none, the newest basket stands in for it."""

    def score(cases: Cases) -> NDArray[np.floating]:
        carts = cases.carts or [_newest_basket(history) for history in cases.histories]
        return _dense(table, carts, Reading(recency=1.0, length=max(map(len, carts), default=0)))

    return Frozen(score)


def _newest_basket(history: Interactions) -> NDArray[np.int32]:
    baskets = baskets_of(history)
    return history.items[baskets == baskets[-1]] if len(history) else history.items


def _dense(table: NeighbourTable, histories: Sequence[NDArray[np.int32]], reading: Reading) -> NDArray[np.floating]:
    scores: NDArray[np.floating] = score_many(table, histories, reading).toarray()
    return scores
