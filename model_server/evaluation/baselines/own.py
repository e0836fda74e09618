"""What a user had most, and had when the cart looked like this one: hard to beat where people buy the same again."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.data.interactions import Interactions
from app.data.popularity import MS_PER_DAY
from model_server.counts.matrices import baskets_of
from model_server.evaluation.baselines.popularity import DecayedPopularity
from model_server.judging.cases import Cases

# Any own count that matters is far above this (.99 ** 1,000 days is 4e-5), any sum of popularity below.
_TIE: Final = 1e-6


class OwnFrequency:
    """The user's own count of each item, an interaction worth .99 for every day that has passed since.

    Items of one count, those that the user never had among them, are in the order of decayed popularity: the tie rule.

    Args:
        popularity: what breaks ties; observes what this does.
        likeness: of an interaction's basket to the cart, as a factor; see `cart_likeness`.
    """

    online = True
    _PER_DAY: Final = 0.99

    def __init__(
        self,
        popularity: DecayedPopularity,
        likeness: Callable[[Interactions, NDArray[np.int32]], NDArray[np.float64]] | None = None,
    ) -> None:
        self._popularity = popularity
        self._likeness = likeness

    def scores(self, cases: Cases) -> NDArray[np.floating]:
        """(B, N)."""
        popular = self._popularity.scores(cases)
        scores: NDArray[np.floating] = _TIE * popular / max(popular.max(initial=0.0), 1.0)
        for row, history in enumerate(cases.histories):
            weights = self._PER_DAY ** ((cases.now_ms[row] - history.ts_ms) / MS_PER_DAY)
            if self._likeness is not None and cases.carts is not None:
                weights = weights * self._likeness(history, cases.carts[row])
            scores[row] += np.bincount(history.items, weights=weights, minlength=scores.shape[1])
        return scores

    def observe(self, events: Interactions) -> None:
        """What is popular moves on; own counts come with the histories."""
        self._popularity.observe(events)


def cart_likeness(history: Interactions, cart: NDArray[np.int32]) -> NDArray[np.float64]:
    """(L,) for each interaction, how like its basket is to the cart: .1 + the cosine of the two sets of items."""
    if not len(history) or not len(cart):
        return np.ones(len(history))
    baskets = baskets_of(history)
    sizes = np.bincount(baskets)
    shared = np.bincount(baskets, weights=np.isin(history.items, cart))
    likeness: NDArray[np.float64] = 0.1 + (shared / np.sqrt(sizes * len(cart)))[baskets]
    return likeness
