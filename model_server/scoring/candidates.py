"""One user's candidates of every source, with score and reason, ready for `app.surfaces.compose`."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from app.contracts.recommendations import RecommendedItem
from app.interests.popularity import PopularItem
from app.interests.state import UserState
from app.surfaces import reasons
from app.surfaces.marks import Anchor, anchors, item_marks
from app.surfaces.surface import Source
from model_server.items.search import Ranked
from model_server.items.view import IndexView

_DECIMALS = 4
# Looking up an enum's value costs as much as making the item.
_NAMES = {source: source.value for source in Source}


@dataclass(frozen=True, slots=True, eq=False)
class KnownUser:
    """What a user's state says about items; the anchors are those that have a vector, the newest first."""

    marks: dict[str, int]
    anchors: list[Anchor]


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """One user's ranked candidates of a source, and for each the number of the anchor nearest to it."""

    ranked: Ranked
    nearest: list[int]


def know(state: UserState, view: IndexView, rating_scale: float, most_anchors: int) -> KnownUser:
    """Read a state."""
    marks = item_marks(state, rating_scale)
    newest = anchors(state, marks, rating_scale, most_anchors)
    return KnownUser(marks, [anchor for anchor in newest if anchor.item_id in view.position])


class PopularItems:
    """The ranking as items of a list, made once per ranking instead of once per user.

    Args:
        ranking: the newest one; another object whenever it has changed.
    """

    def __init__(self, ranking: Callable[[], Sequence[PopularItem]]) -> None:
        self._ranking = ranking
        self._made_of: Sequence[PopularItem] | None = None
        self._items: list[RecommendedItem] = []

    def now(self) -> Sequence[RecommendedItem]:
        """The most popular first."""
        ranking = self._ranking()
        if ranking is not self._made_of:
            name = _NAMES[Source.POPULARITY]
            self._items = [
                RecommendedItem(popular.item_id, round(popular.count, _DECIMALS), name, reasons.POPULAR)
                for popular in ranking
            ]
            self._made_of = ranking
        return self._items


@dataclass(frozen=True, slots=True, eq=False)
class UserCandidates:
    """See the module.

    Args:
        view: the item index.
        user: who it is for.
        ranking: what is popular, the most popular first.
        explained: candidates found by vector, by source and hiding bits.
    """

    view: IndexView
    user: KnownUser
    ranking: Sequence[RecommendedItem]
    explained: Mapping[tuple[Source, int], Explained]
    made: dict[tuple[Source, int], Sequence[RecommendedItem]] = field(default_factory=dict)  # several lists may ask

    def of(self, source: Source, bits: int) -> Iterable[RecommendedItem]:
        """The source's candidates, the best first, without what the hiding bits hide."""
        if source is Source.POPULARITY:
            return self._popular(bits)
        if source is Source.CATALOG:
            return self._catalog(bits)
        return self._explained(source, bits)

    def _popular(self, bits: int) -> Iterator[RecommendedItem]:
        marks, sellable = self.user.marks, self.view.sellable
        for popular in self.ranking:
            if popular.item_id in sellable and not marks.get(popular.item_id, 0) & bits:
                yield popular

    def _catalog(self, bits: int) -> Iterator[RecommendedItem]:
        marks = self.user.marks
        for item_id in reversed(self.view.sellable):
            if not marks.get(item_id, 0) & bits:
                yield RecommendedItem(item_id, 0.0, Source.CATALOG.value, reasons.FROM_CATALOG)

    def _explained(self, source: Source, bits: int) -> Sequence[RecommendedItem]:
        made = self.made.get((source, bits))
        if made is None:
            made = self.made[source, bits] = self._make(source, bits)
        return made

    def _make(self, source: Source, bits: int) -> Sequence[RecommendedItem]:
        found = self.explained.get((source, bits))
        if found is None:
            return ()
        ids, name = self.view.ids, _NAMES[source]
        # Most candidates share a few anchors.
        words = {anchor: self._reason(source, anchor) for anchor in set(found.nearest)}
        ranked = zip(found.ranked.slots, found.ranked.scores, found.nearest, strict=False)
        return [RecommendedItem(ids[slot], score, name, words[anchor]) for slot, score, anchor in ranked]

    def _reason(self, source: Source, number: int) -> str:
        otherwise = reasons.NEW if source is Source.NEW else reasons.FOR_YOU
        if number >= len(self.user.anchors):
            return otherwise
        anchor = self.user.anchors[number]
        title = self.view.titles[self.view.position[anchor.item_id]]
        if not title:  # the item left the catalog before this server started
            return otherwise
        return reasons.new_like(title) if source is Source.NEW else reasons.because(anchor.attachment, title)
