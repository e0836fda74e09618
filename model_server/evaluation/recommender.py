"""What a model version recommends, behind the interface through which models and baselines are compared.

It is what the model server serves, made by the same code from the same index (model_server.hybrid.served), with every
item of the catalogue for sale. Whoever the network knows nothing of gets what is popular, and so do places that the
candidates leave free.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from app.data.interactions import Interactions
from app.surfaces.marks import Pairs
from app.surfaces.touches import OLDER, Touches
from model_server.evaluation.baselines.popularity import DecayedPopularity
from model_server.evaluation.live_version import LiveVersion, Surroundings, told_of
from model_server.hybrid.parts import HybridParts, network_alone
from model_server.hybrid.sources import PopularSlots
from model_server.items.view import IndexView
from model_server.judging.cases import Cases, Recommender
from model_server.registry.version import TrainedModel

CANDIDATES: Final = 100
"""Of each user; whatever is not among them comes behind, by popularity."""

_CHUNK: Final = 128
_NEVER_FIRST: Final = -2.0


def riverrun(model: TrainedModel, surroundings: Surroundings, part: Interactions) -> Recommender:
    """The version as it is served: the network blended with what is counted live.

    Args:
        model: the version's.
        surroundings: see there.
        part: what happened until now.
    """
    return VersionRecommender(model, model.hybrid, surroundings, part)


def network(model: TrainedModel, surroundings: Surroundings, part: Interactions) -> Recommender:
    """The version's network alone."""
    return VersionRecommender(model, network_alone(len(model.item_ids)), surroundings, part)


def riverrun_again(model: TrainedModel, surroundings: Surroundings, part: Interactions) -> Recommender:
    """As `riverrun`, with what users had before among the candidates."""
    return VersionRecommender(model, model.hybrid, surroundings, part, hides_seen=False)


class VersionRecommender:
    """See the module.

    Args:
        model: the version's network, items and texts.
        parts: what the network is blended with.
        surroundings: the catalogue and how its texts are read.
        part: what happened until now.
        hides_seen: whether what a user had does not come back.
    """

    def __init__(
        self,
        model: TrainedModel,
        parts: HybridParts,
        surroundings: Surroundings,
        part: Interactions,
        *,
        hides_seen: bool = True,
    ) -> None:
        catalog = surroundings.catalog
        self._version = LiveVersion(model, parts, surroundings)
        self.online = self._version.counts_on
        self._hides_seen = hides_seen
        self._version.put(np.arange(len(catalog)))
        with self._version.index.reading() as view:
            self._slots = np.array([view.position[item.item_id] for item in catalog], np.int64)
        self._item_of = np.full(int(self._slots.max(initial=-1)) + 1, -1, np.int64)
        self._item_of[self._slots] = np.arange(len(catalog))
        self._popularity = DecayedPopularity(len(catalog), surroundings.half_life_days)
        self.observe(part)

    @torch.inference_mode()
    def scores(self, cases: Cases) -> NDArray[np.floating]:
        """As `Recommender.scores`: from 0 on for candidates, below it for what only popularity speaks for."""
        popular = self._popularity.scores(cases)[:1]
        scores = np.repeat(_NEVER_FIRST + popular / max(float(popular.max(initial=0.0)), 1.0), len(cases), axis=0)
        with self._version.index.reading() as view:
            head = self._head(popular[0])
            for start in range(0, len(cases), _CHUNK):
                chunk = slice(start, min(start + _CHUNK, len(cases)))
                self._score(view, cases.histories[chunk], cases.users[chunk], head, scores[chunk])
        return scores

    def observe(self, events: Interactions) -> None:
        """Popularity and co-visitation go on counting; the weights stay as they are."""
        self._popularity.observe(events)
        if self.online:
            self._version.count(told_of(events))

    def _score(
        self,
        view: IndexView,
        histories: Sequence[Interactions],
        users: NDArray[np.int64],
        popular: PopularSlots,
        scores: NDArray[np.floating],
    ) -> None:
        """Fill (B, N) scores."""
        touches = _touches(histories, self._slots)
        # One user may be asked about twice in a chunk; then nothing is remembered of the second.
        ids = [f"{user}" if first else f"{user} {place}" for place, (user, first) in enumerate(firsts(users))]
        encoded = self._version.model.users(view, ids, touches)
        shown = slice(None) if self._hides_seen else slice(0)
        hidden = Pairs(touches.users[shown], touches.items[shown])
        best = self._version.model.best(view, encoded, hidden, popular, CANDIDATES)
        found = np.arange(best.slots.shape[1]) < best.counts[:, None]
        rows, places = np.nonzero(found)
        scores[rows, self._item_of[best.slots[rows, places]]] = best.scores[rows, places]

    def _head(self, popularity: NDArray[np.floating]) -> PopularSlots:
        order = np.argsort(-popularity, kind="stable")[:CANDIDATES]
        return PopularSlots(self._slots[order], popularity[order].astype(np.float64))


def firsts(users: NDArray[np.int64]) -> list[tuple[int, bool]]:
    """Each user, and whether it is named for the first time."""
    first = np.zeros(len(users), np.bool_)
    first[np.unique(users, return_index=True)[1]] = True
    return list(zip(users.tolist(), first.tolist(), strict=True))


def _touches(histories: Sequence[Interactions], slots: NDArray[np.int64]) -> Touches:
    """Whole histories, nothing of them shortened."""
    none = np.zeros(0, np.int64)
    lengths = [len(history) for history in histories]
    return Touches(
        count=len(histories),
        users=np.repeat(np.arange(len(histories)), lengths),
        items=slots[np.concatenate([history.items for history in histories])],
        kinds=np.concatenate([history.kinds for history in histories]).astype(np.int64),
        ts_ms=np.concatenate([history.ts_ms for history in histories]),
        strengths=np.concatenate([history.ratings for history in histories]),
        places=np.zeros(sum(lengths), np.uint8),
        older_users=none,
        older_items=none,
        older=np.zeros(0, OLDER),
        unnumbered=0,
    )
