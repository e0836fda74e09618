"""The candidates of a batch of users from every source, with score and reason, ready for `app.surfaces.compose`."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.contracts.recommendations import RecommendedItem
from app.surfaces import reasons
from app.surfaces.marks import Anchors, Pairs
from app.surfaces.surface import Hide, Source
from model_server.items.view import IndexView
from model_server.scoring.popular import PopularRanking
from model_server.scoring.words import Words, said_by, stands_of

Hiding = frozenset[Hide]
Rows = Sequence[Iterable[RecommendedItem]]
"""One user's candidates behind the other's, each the best first and without what is hidden from that user."""


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """A source's candidates of B users, the best first, K each.

    Args:
        slots: (B, K).
        scores: (B, K).
        counts: (B,) how many of a row are candidates.
        nearest: (B, K) the column of the anchor nearest to each.
        said: (B, K) places in `names`: who contributed most.
        names: the sources as they are published.
    """

    slots: NDArray[np.int64]
    scores: NDArray[np.float64]
    counts: NDArray[np.int64]
    nearest: NDArray[np.int64]
    said: NDArray[np.int64]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """See the module.

    Args:
        view: the item index.
        anchors: B users'; all of them have a vector.
        hidden: the pairs that a way of hiding hides.
        popular: what is popular.
        most_popular: how many of it a list can ask for.
        explained: what was found by vector, by source and way of hiding.
        words: of each of these sources, in this view.
    """

    view: IndexView
    anchors: Anchors
    hidden: Callable[[Hiding], Pairs]
    popular: PopularRanking
    most_popular: int
    explained: Mapping[tuple[Source, Hiding], Explained]
    words: Mapping[Source, Words]
    _made: dict[tuple[Source, Hiding], Rows] = field(default_factory=dict, init=False)

    def rows(self, source: Source, hide: Hiding) -> Rows:
        """Of all users; made when the first list asks, and the same for every list that hides alike."""
        key = source, hide
        rows = self._made.get(key)
        if rows is None:
            rows = self._made[key] = self._make(source, hide)
        return rows

    def _make(self, source: Source, hide: Hiding) -> Rows:
        count = len(self.anchors.items)
        if source is Source.POPULARITY:
            return self.popular.rows(self.hidden(hide), count, self.most_popular)
        if source is Source.CATALOG:
            return [_Catalog(self.view, self.hidden(hide), user) for user in range(count)]
        found = self.explained.get((source, hide))
        return [()] * count if found is None else self._worded(source, found)

    def _worded(self, source: Source, found: Explained) -> Rows:
        # Twenty items for each of a hundred users: no step of Python between them.
        id_of, word_of, name_of = self.view.ids.__getitem__, self.words[source].__getitem__, found.names.__getitem__
        stands = np.take_along_axis(stands_of(self.anchors, self.view), found.nearest, axis=1)
        stands = said_by(found.said, found.names, stands)
        columns = (found.counts, found.slots, found.scores, found.said, stands)
        return [
            list(map(RecommendedItem, map(id_of, slots[:count]), scores, map(name_of, said), map(word_of, stand)))
            for count, slots, scores, said, stand in zip(*(column.tolist() for column in columns), strict=True)
        ]


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
