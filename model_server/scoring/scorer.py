"""A batch of users' states -> their lists: encode, retrieve, hide, explain, compose.

Every user's lists depend on that user's state only, not on the batch. Users are scored in chunks of like length:
little padding, and beyond about 128 users a CPU gets slower per user.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import torch
from torch import Tensor

from app.contracts.recommendations import RecommendedItem
from app.interests.popularity import PopularItem
from app.interests.state import UserState
from app.surfaces.compose import compose
from app.surfaces.marks import hiding_bits
from app.surfaces.surface import Source, Surfaces
from model_server.items.index import ItemIndex
from model_server.items.search import Ranked, Search
from model_server.items.view import IndexView
from model_server.model.continued import ContinuedEncoder
from model_server.model.network import SequenceNetwork
from model_server.model.sequences import sequence_batch
from model_server.scoring.candidates import Explained, KnownUser, PopularItems, UserCandidates, know
from model_server.scoring.ranking import Ragged, content_profiles, nearest, ragged

Lists = dict[str, tuple[RecommendedItem, ...]]

_NOBODY: Final = Ranked([], [])

_CHUNK_USERS: Final = {"cpu": 128, "cuda": 1_024}
_ANCHORS: Final = 20  # the newest items that a reason may point to
_FADING: Final = 0.85  # content: each older item says this much less, so the last ten or so speak


@dataclass(slots=True)
class Scored:
    """The lists of a batch, in the order of its states, and what it took.

    Attributes:
        lists: by surface, per state.
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


@dataclass(frozen=True, slots=True, eq=False)
class _Chunk:
    """B users while they are scored: the index, their vectors (B, D), and which have any."""

    view: IndexView
    states: Sequence[UserState]
    users: list[KnownUser]
    vectors: Tensor
    empty: list[bool]
    anchors: Ragged
    slots: dict[int, list[list[int]]] = field(default_factory=dict)  # by hiding bits; more than one source asks

    def hidden(self, bits: int) -> list[list[int]]:
        """Per user the slots that these bits hide."""
        if bits not in self.slots:
            self.slots[bits] = [_slots(user.marks, bits, self.view) for user in self.users]
        return self.slots[bits]


class Scorer:
    """See the module. Not thread-safe: one scoring thread.

    Args:
        network: in evaluation mode, on `device`.
        encoder: encodes users with its weights, on `device`.
        index: what there is to recommend.
        surfaces: the lists to make.
        popular: the popularity ranking as of now.
        device: where to compute.
    """

    def __init__(
        self,
        network: SequenceNetwork,
        encoder: ContinuedEncoder,
        index: ItemIndex,
        surfaces: Surfaces,
        popular: Callable[[], Sequence[PopularItem]],
        device: torch.device,
    ) -> None:
        self._network = network
        self._encoder = encoder
        self._index = index
        self._surfaces = surfaces
        self._popular = PopularItems(popular)
        self._device = device
        self._chunk_users = _CHUNK_USERS[device.type]
        self._bits = {surface.name: hiding_bits(surface.hide) for surface in surfaces.surfaces}

    @torch.inference_mode()
    def score(self, user_ids: Sequence[str], states: Sequence[UserState]) -> Scored:
        """Every surface's list for every state; the ids are those of the states' users, no two the same."""
        scored = Scored(lists=[{} for _ in states])
        steps = [
            self._encoder.expected_steps(user_id, len(state.kinds))
            for user_id, state in zip(user_ids, states, strict=True)
        ]
        order = sorted(range(len(states)), key=steps.__getitem__)
        start = 0
        while start < len(order):
            # The lock is let go between chunks, so that a delisting need not wait for the whole batch.
            with self._index.reading() as view:
                places = order[start : start + self._chunk_users]
                ids = [user_ids[place] for place in places]
                lists = self._score_chunk(view, ids, [states[place] for place in places], scored)
            for place, own in zip(places, lists, strict=True):
                scored.lists[place] = own
            start += self._chunk_users
        return scored

    def _score_chunk(
        self, view: IndexView, user_ids: list[str], states: list[UserState], scored: Scored
    ) -> list[Lists]:
        started_s = time.perf_counter()
        chunk = self._encode(view, user_ids, states)
        encoded_s = time.perf_counter()
        explained = self._by_model(chunk) | self._by_content(chunk)
        ranking = self._popular.now()
        lists = []
        for place, user in enumerate(chunk.users):
            own = {key: found[place] for key, found in explained.items()}
            lists.append(self._compose(UserCandidates(view, user, ranking, own)))
        for made in lists:
            scored.sources.update([item.source for items in made.values() for item in items])
        scored.unknown_items += sum(item not in view.position for each in states for item in each.item_ids())
        scored.fallback_users += sum(chunk.empty)
        scored.encode_s += encoded_s - started_s
        scored.retrieve_s += time.perf_counter() - encoded_s
        return lists

    def _encode(self, view: IndexView, user_ids: list[str], states: list[UserState]) -> _Chunk:
        config = self._network.config
        histories = [state.interactions() for state in states]
        sequences = sequence_batch(histories, view.position, config.kinds_seen, config.max_length)
        vectors = self._encoder.encode(user_ids, sequences, view.vectors, view.vector_ids)
        users = [know(state, view, self._surfaces.rating_scale, _ANCHORS) for state in states]
        anchors = ragged([[view.position[anchor.item_id] for anchor in user.anchors] for user in users], self._device)
        return _Chunk(view, states, users, vectors, (sequences.lengths == 0).tolist(), anchors)

    def _by_model(self, chunk: _Chunk) -> dict[tuple[Source, int], list[Explained]]:
        """What the network expects next; nothing for a user of whom it knows nothing."""
        if not chunk.view.sellable:
            return {}
        known = [place for place, empty in enumerate(chunk.empty) if not empty]
        queries = chunk.vectors / self._network.temperature()
        return self._ranked(Source.MODEL, chunk, known, queries, chunk.view.by_vector)

    def _by_content(self, chunk: _Chunk) -> dict[tuple[Source, int], list[Explained]]:
        """Items that the network was not trained on, by the likeness of their text to what the user touched.

        A source of their own, because a softmax trained on other items ranks them badly against those.
        """
        view = chunk.view
        if view.new_by_text is None:
            return {}
        known = [place for place, user in enumerate(chunk.users) if user.anchors]
        queries = content_profiles(view.texts, chunk.anchors, _FADING)
        return self._ranked(Source.NEW, chunk, known, queries, view.new_by_text)

    def _ranked(
        self, source: Source, chunk: _Chunk, known: list[int], queries: Tensor, search: Search
    ) -> dict[tuple[Source, int], list[Explained]]:
        """The source's best once per set of hiding bits, explained; for the others of the chunk nothing.

        Args:
            source: whose candidates these are.
            chunk: all users.
            known: the places of those who have a query.
            queries: (B, *).
            search: what answers them.
        """
        sizes: dict[int, int] = {}
        for surface in self._surfaces.surfaces:
            if surface.uses(source):
                bits = self._bits[surface.name]
                sizes[bits] = max(sizes.get(bits, 0), surface.size)
        likeness = chunk.view.texts if source is Source.NEW else chunk.view.vectors
        asked = queries if len(known) == len(chunk.users) else queries[known]
        found = {}
        for bits, size in sizes.items():
            ranked = [_NOBODY] * len(chunk.users)
            hidden = chunk.hidden(bits)
            answers = search.best(asked, [hidden[place] for place in known], size)
            for place, own in zip(known, answers, strict=True):
                ranked[place] = own
            candidates = ragged([each.slots for each in ranked], self._device)
            numbers = nearest(likeness, candidates, chunk.anchors)
            found[source, bits] = [Explained(*each) for each in zip(ranked, numbers, strict=True)]
        return found

    def _compose(self, candidates: UserCandidates) -> Lists:
        return {
            surface.name: compose(surface, partial(candidates.of, bits=self._bits[surface.name]))
            for surface in self._surfaces.surfaces
        }


def _slots(marks: dict[str, int], bits: int, view: IndexView) -> list[int]:
    place = view.position.get
    return [slot for item_id, mark in marks.items() if mark & bits and (slot := place(item_id)) is not None]
