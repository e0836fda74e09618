"""The candidates of a batch of users from every source, with score and reason, ready for `app.surfaces.compose`."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from app.contracts.recommendations import RecommendedItem
from app.surfaces import reasons
from app.surfaces.marks import Anchors, Pairs
from app.surfaces.surface import Hide, Source
from model_server.items.search import Ranked
from model_server.items.view import IndexView
from model_server.scoring.popular import PopularRanking

Hiding = frozenset[Hide]
Rows = Sequence[Iterable[RecommendedItem]]
"""One user's candidates behind the other's, each the best first and without what is hidden from that user."""


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """A source's ranked candidates of B users, and for each, (B, K), the number of the anchor nearest to it."""

    ranked: Ranked
    nearest: Tensor


class Candidates:
    """See the module.

    Args:
        view: the item index.
        anchors: B users'; all of them have a vector.
        hidden: the pairs that a way of hiding hides.
        popular: what is popular.
        most_popular: how many of it a list can ask for.
        explained: what was found by vector, by source and way of hiding.
    """

    def __init__(
        self,
        view: IndexView,
        anchors: Anchors,
        hidden: Callable[[Hiding], Pairs],
        popular: PopularRanking,
        most_popular: int,
        explained: Mapping[tuple[Source, Hiding], Explained],
    ) -> None:
        self._view = view
        self._hidden = hidden
        self._popular = popular
        self._most_popular = most_popular
        self._explained = explained
        self._count = len(anchors.items)
        self._anchors = anchors.items.tolist(), anchors.attachments.tolist(), anchors.real.sum(axis=1).tolist()
        self._made: dict[tuple[Source, Hiding], Rows] = {}

    def rows(self, source: Source, hide: Hiding) -> Rows:
        """Of all users; made when the first list asks, and the same for every list that hides alike."""
        key = source, hide
        rows = self._made.get(key)
        if rows is None:
            rows = self._made[key] = self._make(source, hide)
        return rows

    def _make(self, source: Source, hide: Hiding) -> Rows:
        if source is Source.POPULARITY:
            return self._popular.rows(self._hidden(hide), self._count, self._most_popular)
        if source is Source.CATALOG:
            return [_Catalog(self._view, self._hidden(hide), user) for user in range(self._count)]
        found = self._explained.get((source, hide))
        return [()] * self._count if found is None else self._worded(source, found)

    def _worded(self, source: Source, found: Explained) -> Rows:
        ids, name, ranked = self._view.ids, source.value, found.ranked
        rows = []
        columns = (ranked.counts.tolist(), ranked.slots.tolist(), ranked.scores.tolist(), found.nearest.tolist())
        for user, (count, slots, scores, numbers) in enumerate(zip(*columns, strict=True)):
            # Most candidates share a few anchors.
            words = {number: self._reason(source, user, number) for number in set(numbers)}
            ranked_items = zip(slots[:count], scores, numbers, strict=False)
            rows.append(
                [RecommendedItem(ids[slot], score, name, words[number]) for slot, score, number in ranked_items]
            )
        return rows

    def _reason(self, source: Source, user: int, number: int) -> str:
        slots, attachments, counts = self._anchors
        title = self._view.titles[slots[user][number]] if number < counts[user] else ""
        if not title:  # there is no anchor, or it left the catalog before this server started
            return reasons.NEW if source is Source.NEW else reasons.FOR_YOU
        return reasons.new_like(title) if source is Source.NEW else reasons.because(attachments[user][number], title)


@dataclass(frozen=True, slots=True, eq=False)
class _Catalog:
    """Everything there is for one user, the newest first. Few lists get this far, so it is made as it is read."""

    view: IndexView
    hidden: Pairs
    user: int

    def __iter__(self) -> Iterator[RecommendedItem]:
        start, end = np.searchsorted(self.hidden.users, (self.user, self.user + 1))
        hidden = set(self.hidden.items[start:end].tolist())
        for item_id, slot in reversed(self.view.sellable.items()):
            if slot not in hidden:
                yield RecommendedItem(item_id, 0.0, Source.CATALOG.value, reasons.FROM_CATALOG)
