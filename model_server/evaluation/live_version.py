"""A version as a model server holds it: an index of what is for sale, and counts that go on, around its network."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.contracts.catalog import CatalogItem
from app.data.interactions import Interactions
from model_server.counts.live import LiveCoVisitation
from model_server.evaluation.first_week import FirstWeek
from model_server.hybrid.parts import HybridParts
from model_server.hybrid.served import ServedModel
from model_server.hybrid.sources import hybrid_of
from model_server.items.index import ItemIndex
from model_server.items.rows import ItemRows
from model_server.items.view import Listing
from model_server.model.continued import ContinuedEncoder
from model_server.model.memory import EncodingMemory
from model_server.model.sequences import NEGATIVE_KINDS
from model_server.model.serving import UserEncoder
from model_server.popularity.told import Told, Touch
from model_server.registry.version import TrainedModel, trained_items
from model_server.text.encoder import TextEncoder
from model_server.training.run import texts_of

_REMEMBERED_USERS: Final = 2_000


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """What a recommender needs to know beside the model and the training part.

    Args:
        catalog: every item that can be recommended, in the order of `Interactions.item_ids`.
        encoder: the encoder that the model was trained with.
        half_life_days: of popularity.
        first_week: for lists as they are served: beside what the model was trained on, only this is for sale, each
            product in its own week; None: the whole catalog is, all the time.
    """

    catalog: Sequence[CatalogItem]
    encoder: TextEncoder
    half_life_days: float
    first_week: FirstWeek | None = None


class LiveVersion:
    """See the module. `index` and `model` are what a scorer makes lists of; at first nothing is for sale.

    Args:
        model: the version's network, items and texts.
        parts: what the network is blended with.
        surroundings: the catalogue and how its texts are read.
    """

    def __init__(self, model: TrainedModel, parts: HybridParts, surroundings: Surroundings) -> None:
        self.device = next(model.network.parameters()).device
        self.counts_on = parts.weights.covisitation > 0
        self._texts_width = model.texts.shape[1]
        self._reads_texts = model.network.config.text_dimension > 0
        self._surroundings = surroundings
        rows = ItemRows(model.item_ids)
        self.index = ItemIndex(model.network, trained_items(model), self.device, rows=rows)
        self._covisitation = LiveCoVisitation(parts.covisitation, parts.options, rows)
        memory = EncodingMemory(_REMEMBERED_USERS, model.network.config.memory_width, self.device)
        encoder = ContinuedEncoder(UserEncoder(model.network, half=False), memory, self.device)
        self.model = ServedModel(model.network, encoder, hybrid_of(parts, self._covisitation))

    def put(self, items: NDArray[np.integer]) -> None:
        """These numbers of the catalogue are for sale from now on."""
        catalog = self._surroundings.catalog
        listings = [Listing(catalog[item].item_id, catalog[item].title) for item in items.tolist()]
        self.index.put(listings, self._texts(items))

    def withdraw(self, items: NDArray[np.integer]) -> None:
        """These are not for sale any more."""
        self.index.withdraw([self._surroundings.catalog[item].item_id for item in items.tolist()])

    def count(self, told: Told) -> None:
        """Co-visitation goes on."""
        if self.counts_on:
            self._covisitation.count(told)

    def _texts(self, items: NDArray[np.integer]) -> NDArray[np.float32]:
        """(n, T); zeros for a model without a text tower."""
        if not self._reads_texts:
            return np.zeros((len(items), self._texts_width), np.float32)
        return self._surroundings.encoder.encode(texts_of(self._surroundings.catalog, items))


def told_of(events: Interactions) -> Told:
    """What live counters are told of these."""
    liked = events.take(~np.isin(events.kinds, sorted(NEGATIVE_KINDS)))
    columns = zip(liked.users.tolist(), liked.items.tolist(), liked.ts_ms.tolist(), strict=True)
    return Told([Touch(events.user_ids[user], events.item_ids[item], ts_ms) for user, item, ts_ms in columns])
