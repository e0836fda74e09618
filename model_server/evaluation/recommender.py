"""The trained network behind the interface through which models and baselines are compared."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from app.contracts.catalog import CatalogItem
from app.data.interactions import Interactions
from model_server.evaluation.baselines.popularity import DecayedPopularity
from model_server.evaluation.cases import Cases
from model_server.model.network import COLD
from model_server.model.sequences import first_read, padded_batch
from model_server.registry.version import TrainedModel
from model_server.text.encoder import TextEncoder
from model_server.training.run import texts_of


class TrainedRecommender:
    """The trained network with live state; recency-decayed popularity for a user of whom nothing is known.

    Args:
        model: the model.
        catalog: every item that can be recommended; those that the model has no ID for work from their text.
        encoder: the encoder that the model was trained with.
        popularity: already fitted; it goes on observing.
    """

    online = False

    def __init__(
        self,
        model: TrainedModel,
        catalog: Sequence[CatalogItem],
        encoder: TextEncoder,
        popularity: DecayedPopularity,
    ) -> None:
        self._network = model.network
        self._device = model.network.cold_id.device
        self._popularity = popularity
        row_of = {item_id: row for row, item_id in enumerate(model.item_ids)}
        rows = torch.tensor([row_of.get(item.item_id, COLD) for item in catalog], device=self._device)
        read = np.arange(len(catalog) if self._network.config.text_dimension else 0)
        texts = torch.from_numpy(encoder.encode(texts_of(catalog, read)))
        with torch.inference_mode():
            self._item_vectors = self._network.item_vectors(rows, texts.to(self._device))

    @torch.inference_mode()
    def scores(self, cases: Cases) -> NDArray[np.floating]:
        """As `Recommender.scores`."""
        histories = cases.histories
        max_length = self._network.config.max_length
        first = first_read(np.array([len(history) for history in histories]), max_length)
        newest = [history.take(slice(start, None)) for history, start in zip(histories, first.tolist(), strict=True)]
        sequences = padded_batch(
            np.concatenate([history.items for history in newest]).astype(np.int64),
            np.concatenate([history.kinds for history in newest]).astype(np.int64),
            np.concatenate([history.ts_ms for history in newest]),
            np.array([len(history) for history in newest], dtype=np.int64),
        )
        users = self._network.encode_users(sequences.to(self._device), self._item_vectors).users
        scores: NDArray[np.floating] = self._network.scores(users, self._item_vectors).cpu().numpy()
        unknown = np.array([len(history) == 0 for history in histories])
        if unknown.any():
            scores[unknown] = self._popularity.scores(cases)[unknown]
        return scores

    def observe(self, events: Interactions) -> None:
        """Only popularity learns; the weights stay as they are."""
        self._popularity.observe(events)
