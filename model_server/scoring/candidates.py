"""One user's candidates of every source, with score and reason, ready for `app.surfaces.compose`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.contracts.recommendations import RecommendedItem
from app.interests.popularity import PopularItem
from app.interests.state import UserState
from app.surfaces import reasons
from app.surfaces.marks import Anchor, anchors, item_marks
from app.surfaces.surface import Source
from model_server.items.index import IndexView
from model_server.scoring.ranking import Ranked

_DECIMALS = 4


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
    ranking: Sequence[PopularItem]
    explained: Mapping[tuple[Source, int], Explained]

    def of(self, source: Source, bits: int) -> Iterator[RecommendedItem]:
        """The source's candidates, the best first, without what the hiding bits hide."""
        if source is Source.POPULARITY:
            return self._popular(bits)
        if source is Source.CATALOG:
            return self._catalog(bits)
        return self._explained(source, bits)

    def _popular(self, bits: int) -> Iterator[RecommendedItem]:
        marks, sellable = self.user.marks, self.view.sellable
        for popular in self.ranking:
            item_id = popular.item_id
            if item_id in sellable and not marks.get(item_id, 0) & bits:
                score = round(popular.count, _DECIMALS)
                yield RecommendedItem(item_id, score, Source.POPULARITY.value, reasons.POPULAR)

    def _catalog(self, bits: int) -> Iterator[RecommendedItem]:
        marks = self.user.marks
        for item_id in reversed(self.view.sellable):
            if not marks.get(item_id, 0) & bits:
                yield RecommendedItem(item_id, 0.0, Source.CATALOG.value, reasons.FROM_CATALOG)

    def _explained(self, source: Source, bits: int) -> Iterator[RecommendedItem]:
        found = self.explained.get((source, bits))
        if found is None:
            return
        ids = self.view.ids
        for slot, score, anchor in zip(found.ranked.slots, found.ranked.scores, found.nearest, strict=False):
            yield RecommendedItem(ids[slot], round(score, _DECIMALS), source.value, self._reason(source, anchor))

    def _reason(self, source: Source, number: int) -> str:
        if number >= len(self.user.anchors):
            return reasons.NEW if source is Source.NEW else reasons.FOR_YOU
        anchor = self.user.anchors[number]
        title = self.view.titles[self.view.position[anchor.item_id]]
        if not title:  # the item left the catalog before this server started
            return reasons.NEW if source is Source.NEW else reasons.FOR_YOU
        return reasons.new_like(title) if source is Source.NEW else reasons.because(anchor.attachment, title)
