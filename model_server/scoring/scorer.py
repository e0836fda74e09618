"""A batch of users' histories -> their lists: encode, retrieve, hide, explain, compose.

Every user's lists depend on that user's history only, not on the batch. Users are scored in chunks of like length:
little padding, and beyond about 128 users a CPU gets slower per user.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import torch
from torch import Tensor

from app.contracts.recommendations import RecommendedItem
from app.interests.popularity import PopularItem
from app.surfaces.compose import compose
from app.surfaces.marks import Anchors, Marks, Pairs
from app.surfaces.surface import Source, Surfaces
from app.surfaces.touches import History, touches_of
from model_server.hybrid.again import Visitors
from model_server.hybrid.blend import Ordered
from model_server.hybrid.served import ServedModel, Users
from model_server.hybrid.sources import PopularSlots
from model_server.items.index import ItemIndex
from model_server.items.view import IndexView
from model_server.scoring.candidates import Candidates, Explained, Hiding
from model_server.scoring.popular import PopularItems
from model_server.scoring.ranking import AnchorVectors, nearest, rows_of
from model_server.scoring.words import Reasons

Lists = dict[str, tuple[RecommendedItem, ...]]

_CHUNK_USERS: Final = {"cpu": 128, "cuda": 1_024}
_ANCHORS: Final = 20  # the newest items that a reason may point to
_DECIMALS: Final = 4


@dataclass(slots=True)
class Scored:
    """The lists of a batch, in the order of its users, and what it took.

    Attributes:
        lists: by surface, per user.
        encode_s: seconds spent on user vectors.
        retrieve_s: seconds spent on the rest.
        sources: how many places of all lists each source filled.
        unknown_items: interactions with items that have no vector.
        fallback_users: users of whom the model knew nothing.
    """

    lists: list[Lists]
    encode_s: float = 0.0
    retrieve_s: float = 0.0
    sources: Counter[str] = field(default_factory=Counter)
    unknown_items: int = 0
    fallback_users: int = 0


Score = Callable[[Sequence[str], Sequence[History]], Scored]
"""Makes the lists of a batch: user ids and what they did."""


@dataclass(frozen=True, slots=True, eq=False)
class _Chunk:
    """B users while they are scored: the index, what they did and what is made of it."""

    view: IndexView
    users: Users
    marks: Marks
    anchors: Anchors
    visitors: Visitors
    pairs: dict[Hiding, Pairs] = field(default_factory=dict)  # more than one source asks

    def hidden(self, hide: Hiding) -> Pairs:
        """The slots that this way of hiding hides."""
        if hide not in self.pairs:
            self.pairs[hide] = self.marks.hidden(hide)
        return self.pairs[hide]

    def anchors_in(self, vectors: Tensor) -> AnchorVectors:
        """The anchors among (N, *) vectors or texts."""
        slots, real = (torch.from_numpy(each).to(vectors.device) for each in (self.anchors.items, self.anchors.real))
        return AnchorVectors(rows_of(vectors, slots), real)


class Scorer:
    """See the module. Not thread-safe: one scoring thread.

    Args:
        model: what scores.
        index: what there is to recommend.
        surfaces: the lists to make.
        popular: the popularity ranking as of now.
        device: where to compute.
    """

    def __init__(
        self,
        model: ServedModel,
        index: ItemIndex,
        surfaces: Surfaces,
        popular: Callable[[], Sequence[PopularItem]],
        device: torch.device,
    ) -> None:
        self._model = model
        self._index = index
        self._surfaces = surfaces if model.ranker is not None else surfaces.without(Source.AGAIN)
        self._popular = PopularItems(popular)
        self._reasons = Reasons()
        self._device = device
        self._chunk_users = _CHUNK_USERS[device.type]
        self._sizes = {source: _sizes(source, self._surfaces) for source in (Source.FOR_YOU, Source.AGAIN, Source.NEW)}
        # A list may hold as many of them already, from other sources.
        self._most_popular = 2 * max((surface.size for surface in self._surfaces.surfaces), default=0)

    @torch.inference_mode()
    def score(self, user_ids: Sequence[str], histories: Sequence[History]) -> Scored:
        """Every surface's list for every history; the ids are those of its users, no two the same."""
        scored = Scored(lists=[{} for _ in histories])
        steps = [
            self._model.encoder.expected_steps(user_id, len(history.kinds))
            for user_id, history in zip(user_ids, histories, strict=True)
        ]
        order = sorted(range(len(histories)), key=steps.__getitem__)
        start = 0
        while start < len(order):
            # The lock is let go between chunks, so that a delisting need not wait for the whole batch.
            with self._index.reading() as view:
                places = order[start : start + self._chunk_users]
                ids = [user_ids[place] for place in places]
                lists = self._score_chunk(view, ids, [histories[place] for place in places], scored)
            for place, own in zip(places, lists, strict=True):
                scored.lists[place] = own
            start += self._chunk_users
        return scored

    def _score_chunk(
        self, view: IndexView, user_ids: list[str], histories: list[History], scored: Scored
    ) -> list[Lists]:
        started_s = time.perf_counter()
        chunk = self._encode(view, user_ids, histories)
        encoded_s = time.perf_counter()
        popular, words = self._popular.now(view), self._reasons.now(view)
        explained = self._for_you(chunk, popular.head) | self._again(chunk) | self._new_items(chunk)
        candidates = Candidates(view, chunk.anchors, chunk.hidden, popular, self._most_popular, explained, words)
        lists = [self._compose(candidates, user) for user in range(len(histories))]
        scored.sources.update([item.source for own in lists for items in own.values() for item in items])
        scored.unknown_items += chunk.users.touches.unnumbered
        scored.fallback_users += len(histories) - int(chunk.users.known.sum())
        scored.encode_s += encoded_s - started_s
        scored.retrieve_s += time.perf_counter() - encoded_s
        return lists

    def _encode(self, view: IndexView, user_ids: list[str], histories: list[History]) -> _Chunk:
        touches = touches_of(histories, view.position)
        users = self._model.users(view, user_ids, touches)
        marks = Marks(touches, self._surfaces.rating_scale)
        return _Chunk(view, users, marks, marks.anchors(_ANCHORS), Visitors(user_ids, histories))

    def _for_you(self, chunk: _Chunk, popular: PopularSlots) -> dict[tuple[Source, Hiding], Explained]:
        """What the network and the counts expect next, in one order; nothing for a user of whom they know nothing."""
        view = chunk.view
        if not view.sellable:
            return {}
        names, found = self._model.hybrid.names, {}
        for hide, size in self._sizes[Source.FOR_YOU].items():
            ordered = self._model.best(view, chunk.users, chunk.hidden(hide), popular, size)
            found[Source.FOR_YOU, hide] = self._explained(chunk, ordered, names, view.vectors)
        return found

    def _again(self, chunk: _Chunk) -> dict[tuple[Source, Hiding], Explained]:
        """What the version's ranker expects next, things had before among it."""
        view, ranker = chunk.view, self._model.ranker
        if ranker is None or not view.sellable:
            return {}
        found = {}
        for hide, size in self._sizes[Source.AGAIN].items():
            ordered = ranker.best(view, chunk.visitors, chunk.hidden(hide), size)
            found[Source.AGAIN, hide] = self._explained(chunk, ordered, ranker.names, view.vectors)
        return found

    def _explained(self, chunk: _Chunk, ordered: Ordered, names: tuple[str, ...], vectors: Tensor) -> Explained:
        """With the anchor nearest to each by these (N, *) vectors or texts."""
        slots = torch.from_numpy(ordered.slots).to(self._device)
        return Explained(
            slots=ordered.slots,
            scores=ordered.scores.round(_DECIMALS),
            counts=ordered.counts,
            nearest=nearest(rows_of(vectors, slots), chunk.anchors_in(vectors)).cpu().numpy(),
            said=ordered.sources,
            names=names,
        )

    def _new_items(self, chunk: _Chunk) -> dict[tuple[Source, Hiding], Explained]:
        """Items that the network was not trained on.

        A source of their own, because a softmax trained on other items ranks them badly against those. Nearest are the
        anchors whose texts are.
        """
        view, search = chunk.view, chunk.view.new_items
        if search is None:
            return {}
        found = {}
        for hide, size in self._sizes[Source.NEW].items():
            ordered = self._model.new(view, search, chunk.users, chunk.hidden(hide), size)
            found[Source.NEW, hide] = self._explained(
                chunk, replace(ordered, sources=np.zeros_like(ordered.sources)), (Source.NEW.value,), view.texts
            )
        return found

    def _compose(self, candidates: Candidates, user: int) -> Lists:
        return {
            surface.name: compose(surface, lambda source, hide=surface.hide: candidates.rows(source, hide)[user])  # type: ignore[misc]  # a default
            for surface in self._surfaces.surfaces
        }


def _sizes(source: Source, surfaces: Surfaces) -> dict[Hiding, int]:
    """How many of the source's candidates each way of hiding needs: those of its largest list."""
    sizes: dict[Hiding, int] = {}
    for surface in surfaces.surfaces:
        if surface.uses(source):
            sizes[surface.hide] = max(sizes.get(surface.hide, 0), surface.size)
    return sizes
