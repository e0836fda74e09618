"""What is popular and for sale, ready to stand in lists."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from app.contracts.recommendations import RecommendedItem
from app.interests.popularity import PopularItem
from app.surfaces import reasons
from app.surfaces.marks import Pairs
from app.surfaces.surface import Source
from model_server.hybrid.sources import PopularSlots
from model_server.items.view import IndexView

_DECIMALS = 4


@dataclass(frozen=True, slots=True, eq=False)
class PopularRanking:
    """R sellable items, the most popular first, and the (N,) rank of each slot: R for who is not among them.

    `head` are the same as arrays.
    """

    items: Sequence[RecommendedItem]
    rank_of: NDArray[np.int64]
    head: PopularSlots

    def rows(self, hidden: Pairs, users: int, most: int) -> list[Sequence[RecommendedItem]]:
        """The `most` highest of each user, without what is hidden from that user."""
        head = self.items[:most]
        rows: list[Sequence[RecommendedItem]] = [head] * users
        ranks = self.rank_of[hidden.items]
        bounds = np.searchsorted(hidden.users, np.arange(users + 1))
        # Whoever may see all of the head shares it.
        for user in np.unique(hidden.users[ranks < len(head)]).tolist():
            own = set(ranks[bounds[user] : bounds[user + 1]].tolist())
            rows[user] = list(islice((item for rank, item in enumerate(self.items) if rank not in own), most))
        return rows


class PopularItems:
    """The ranking as items of a list, made once per ranking and index instead of once per user.

    Args:
        ranking: the newest one; another object whenever it has changed.
    """

    def __init__(self, ranking: Callable[[], Sequence[PopularItem]]) -> None:
        self._ranking = ranking
        self._made_of: tuple[Sequence[PopularItem], int] | None = None
        self._made = PopularRanking([], np.zeros(0, np.int64), PopularSlots(np.zeros(0, np.int64), np.zeros(0)))

    def now(self, view: IndexView) -> PopularRanking:
        """The ranking over this view's slots."""
        ranking = self._ranking()
        if self._made_of is None or self._made_of[0] is not ranking or self._made_of[1] != view.version:
            self._made = _made(ranking, view)
            self._made_of = ranking, view.version
        return self._made


def _made(ranking: Sequence[PopularItem], view: IndexView) -> PopularRanking:
    sold = [(popular, slot) for popular in ranking if (slot := view.sellable.get(popular.item_id)) is not None]
    name = Source.POPULARITY.value
    items = [
        RecommendedItem(popular.item_id, round(popular.count, _DECIMALS), name, reasons.POPULAR) for popular, _ in sold
    ]
    rank_of = np.full(len(view.ids), len(items), np.int64)
    slots = np.array([slot for _, slot in sold], np.int64)
    rank_of[slots] = np.arange(len(items))
    counts = np.array([popular.count for popular, _ in sold], np.float64)
    return PopularRanking(items, rank_of, PopularSlots(slots, counts))
