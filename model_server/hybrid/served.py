"""A model as it serves: users' touches in, their best candidates out. The one way from the one to the other.

The scorer makes lists of it (model_server.scoring), evaluation measures it (model_server.evaluation.recommender).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from torch import Tensor

from app.surfaces.marks import Pairs
from app.surfaces.touches import Touches
from model_server.hybrid.again import ServedRanker
from model_server.hybrid.blend import Ordered, blend, stacked
from model_server.hybrid.sources import RETRIEVED, Asking, Hybrid, PopularSlots
from model_server.hybrid.tastes import tasted
from model_server.hybrid.worths import Offers, retrieved
from model_server.items.search import Search
from model_server.items.view import IndexView
from model_server.model.continued import ContinuedEncoder
from model_server.model.members import Network
from model_server.model.sequences import sequence_batch

_OF_NEW: Final = np.array([1, 10], np.float32)
"""Weights of the network and of tastes among new items; for who comes back for nothing the network is alone."""


@dataclass(frozen=True, slots=True, eq=False)
class Users:
    """B users: what they did, items numbered by slots; their vectors (B, D), and (B,) bool, which of them have any."""

    touches: Touches
    vectors: Tensor
    known: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class ServedModel:
    """See the module.

    Args:
        network: in evaluation mode.
        encoder: encodes users with its weights, on the same device.
        hybrid: blends what the network finds with what was counted.
        ranker: for the lists in which things come back; None where the version has none.
    """

    network: Network
    encoder: ContinuedEncoder
    hybrid: Hybrid
    ranker: ServedRanker | None = None

    def users(self, view: IndexView, user_ids: Sequence[str], touches: Touches) -> Users:
        """Encode users; the ids are theirs, no two the same."""
        config = self.network.config
        sequences = sequence_batch(touches, config.kinds_seen, config.max_length)
        vectors = self.encoder.encode(user_ids, sequences, view.vectors, view.vector_ids)
        return Users(touches, vectors, sequences.lengths > 0)

    def best(self, view: IndexView, users: Users, hidden: Pairs, popular: PopularSlots, size: int) -> Ordered:
        """Every user's `size` best; none for a user of whom the network knows nothing."""
        queries = users.vectors / self.network.temperature()
        retrieved = view.by_vector.best(queries, hidden, max(RETRIEVED, size))
        retrieved.counts.mul_(users.known.to(retrieved.counts.device))
        ordered = self.hybrid.best(view, Asking(users.touches, retrieved, hidden), popular, size)
        ordered.counts[~users.known.numpy()] = 0
        return ordered

    def new(self, view: IndexView, search: Search, users: Users, hidden: Pairs, size: int) -> Ordered:
        """Every user's `size` best of what the network was not trained on; none for a user of whom it knows nothing.

        By what trained items are worth to the user that read like them and, for a user who comes back for things, by
        how much of what that user takes reads like them.

        Args:
            view: of the item index.
            search: its `new_items`.
            users: B.
            hidden: what they must not be shown.
            size: K, at most.
        """
        ranked = search.best(users.vectors, hidden, max(RETRIEVED, size))
        ranked.counts.mul_(users.known.to(ranked.counts.device))
        found = [each.cpu().numpy() for each in (ranked.slots, ranked.scores, ranked.counts)]
        offers = Offers(
            users.touches.count,
            [retrieved(*found), tasted(view.tastes, users.touches)],
            hidden,
            ~view.hidden.cpu().numpy(),
        )
        ordered = stacked((blend(worths, _OF_NEW, size) for worths in offers.worths()), size)
        ordered.counts[~users.known.numpy()] = 0
        return ordered
