"""A multi-layer perceptron on user and item features, beside the product of their vectors.

He et al., "Neural collaborative filtering", WWW 2017 (the two branches); Covington, Adams and Sargin, "Deep neural
networks for YouTube recommendations", RecSys 2016 (the user as the mean of what they had, so nobody need be known).
User features: the mean vector of the newest 50 items and that of the newest one. Item features: a vector of its own and
what the catalog says (model_server.evaluation.baselines.features). A data set's facts about people are not read.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from app.data.interactions import Interactions
from model_server.evaluation.baselines.context import Context, Frozen
from model_server.evaluation.baselines.descent import PADDING, batches, chunks, minimise, padded, seeded
from model_server.evaluation.baselines.features import item_features
from model_server.judging.cases import Cases, Fit

_DIMENSION: Final = 64
_HIDDEN: Final = 64
_LENGTH: Final = 50
_BATCH: Final = 32
_NEGATIVES: Final = 8
# Pairs of a user and an item that are scored at once: 64 hidden units each are 64 MB.
_PAIRS: Final = 250_000


class PairMlp(nn.Module):
    """Scores pairs of a user and an item.

    The first layer of an MLP on [user, item] is a sum of a part of each, so each part is computed once.

    Args:
        features: (N, F) of the items.
    """

    def __init__(self, features: NDArray[np.float32]) -> None:
        super().__init__()
        self.features: Tensor
        items, width = features.shape
        self.register_buffer("features", torch.from_numpy(np.vstack((np.zeros((1, width), np.float32), features))))
        self.ids = nn.Embedding(items + 1, _DIMENSION, padding_idx=PADDING)
        self.described = nn.Linear(width, _DIMENSION)
        self.user = nn.Linear(2 * _DIMENSION, _DIMENSION)
        self.user_part = nn.Linear(_DIMENSION, _HIDDEN)
        self.item_part = nn.Linear(_DIMENSION, _HIDDEN)
        self.rest = nn.Sequential(nn.ReLU(), nn.Linear(_HIDDEN, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, 1))
        self.biases = nn.Embedding(items + 1, 1)
        self.dropout = nn.Dropout(0.2)
        nn.init.normal_(self.ids.weight, std=0.1)
        nn.init.zeros_(self.biases.weight)

    def item_vectors(self, items: Tensor) -> Tensor:
        """(..., D)."""
        vectors: Tensor = self.ids(items) + self.described(self.features[items])
        return vectors

    def users_after(self, histories: Tensor) -> Tensor:
        """(B, L) padded histories -> (B, L, D): the user after each item."""
        there = (histories != PADDING)[..., None]
        vectors = self.dropout(self.item_vectors(histories)) * there
        mean = vectors.cumsum(dim=1) / there.cumsum(dim=1).clamp(min=1)
        users: Tensor = self.user(torch.cat((mean, vectors), dim=-1))
        return users

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """(..., D) users and (...) items that broadcast -> (...) logits."""
        vectors = self.item_vectors(items)
        hidden = self.user_part(users) + self.item_part(vectors)
        product = (users * vectors).sum(dim=-1)
        logits: Tensor = self.rest(hidden)[..., 0] + product + self.biases(items)[..., 0]
        return logits


def mlp(context: Context, epochs: int = 15) -> Fit:
    """Cross-entropy against eight random items for each."""

    def fit(part: Interactions) -> Frozen:
        features = item_features(context.catalog, context.encoder)
        with seeded(context.seed, context.device) as rng:
            network = PairMlp(features).to(context.device)
            losses = (loss for _ in range(epochs) for loss in _epoch(network, part, rng, context.device))
            minimise(network, losses, learning_rate=2e-3)
        return Frozen(lambda cases: _scores(network, cases, len(part.item_ids), context.device))

    return fit


def _epoch(network: PairMlp, part: Interactions, rng: np.random.Generator, device: torch.device) -> Iterator[Tensor]:
    for rows in batches(chunks(part, _LENGTH, rng), _BATCH):
        batch = rows.to(device)
        known = batch[:, 1:] != PADDING
        users = network.users_after(batch[:, :-1])[known]
        random = torch.from_numpy(rng.integers(1, len(part.item_ids) + 1, size=(len(users), _NEGATIVES))).to(device)
        items = torch.cat((batch[:, 1:][known][:, None], random), dim=1)
        logits = network(users[:, None], items)
        wanted = torch.zeros_like(logits)
        wanted[:, 0] = 1.0
        yield functional.binary_cross_entropy_with_logits(logits, wanted)


@torch.inference_mode()
def _scores(network: PairMlp, cases: Cases, items: int, device: torch.device) -> NDArray[np.floating]:
    """(B, N)."""
    histories = padded([history.items for history in cases.histories], _LENGTH).to(device)
    newest = (histories != PADDING).sum(dim=1).clamp(min=1) - 1
    users = network.users_after(histories)[torch.arange(len(histories), device=device), newest]
    catalog = batches(torch.arange(1, items + 1, device=device), max(1, _PAIRS // len(cases)))
    blocks = [network(users[:, None], block) for block in catalog]
    scores: NDArray[np.floating] = torch.cat(blocks, dim=1).cpu().numpy()
    return scores
