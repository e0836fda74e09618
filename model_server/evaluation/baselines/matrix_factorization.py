"""Matrix factorisation with biases, of who had what and of how many stars it got.

Koren, Bell and Volinsky, "Matrix factorization techniques for recommender systems", IEEE Computer 2009. Factors learned
from stars alone do not rank (they never see what nobody rated), so one set of factors has two heads: whether a user has
an item at all (softmax, sampled beyond 2,048 items) ranks, stars (squared error) are for whoever asks for them.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from app.data.interactions import Interactions
from model_server.evaluation.baselines.context import Context
from model_server.evaluation.baselines.descent import choice_with, minimise, seeded
from model_server.judging.cases import Cases, Fit

_DIMENSION: Final = 32
_BATCH: Final = 1_024
_SAMPLED: Final = 2_048


class _Factors(nn.Module):
    """User and item vectors, and a bias of each for stars; item biases for having."""

    def __init__(self, users: int, items: int, mean_stars: float) -> None:
        super().__init__()
        self.users = nn.Embedding(users, _DIMENSION)
        self.items = nn.Embedding(items, _DIMENSION)
        self.having = nn.Embedding(items, 1)
        self.user_stars = nn.Embedding(users, 1)
        self.item_stars = nn.Embedding(items, 1)
        self.star_weights = nn.Parameter(torch.zeros(_DIMENSION))
        self.register_buffer("mean_stars", torch.tensor(mean_stars))
        for table in (self.users, self.items):
            nn.init.normal_(table.weight, std=0.1)
        for bias in (self.having, self.user_stars, self.item_stars):
            nn.init.zeros_(bias.weight)

    def has(self, users: Tensor, items: Tensor) -> Tensor:
        """(B, M) logits, for (B,) users and (M,) items."""
        logits: Tensor = self.users(users) @ self.items(items).T + self.having(items)[:, 0]
        return logits

    def stars(self, users: Tensor, items: Tensor) -> Tensor:
        """(B,) for (B,) users and items."""
        biases = self.user_stars(users)[:, 0] + self.item_stars(items)[:, 0]
        agreement = (self.users(users) * self.items(items)) @ self.star_weights
        stars: Tensor = self.mean_stars + biases + agreement
        return stars


class MatrixFactorization:
    """A recommender and a `RatingPredictor`; users whom the training part does not have get the items' biases."""

    online = False

    def __init__(self, factors: _Factors, known: NDArray[np.bool_], device: torch.device) -> None:
        self._factors = factors
        self._known = torch.from_numpy(known).to(device)
        self._device = device

    @torch.inference_mode()
    def scores(self, cases: Cases) -> NDArray[np.floating]:
        """(B, N)."""
        users = torch.from_numpy(cases.users).to(self._device)
        vectors = self._factors.users(users) * self._known[users, None]
        logits = vectors @ self._factors.items.weight.T + self._factors.having.weight[:, 0]
        scores: NDArray[np.floating] = logits.cpu().numpy()
        return scores

    @torch.inference_mode()
    def ratings(self, cases: Cases, items: NDArray[np.int32]) -> NDArray[np.float32]:
        """(B,) stars."""
        users = torch.from_numpy(cases.users).to(self._device)
        rated = torch.from_numpy(items.astype(np.int64)).to(self._device)
        stars: NDArray[np.float32] = self._factors.stars(users, rated).cpu().numpy()
        return stars

    def observe(self, events: Interactions) -> None:
        """Nothing is learned after the training."""


def matrix_factorization(context: Context, epochs: int = 10) -> Fit:
    """Trained in seconds on 100,000 interactions."""

    def fit(part: Interactions) -> MatrixFactorization:
        rated = ~np.isnan(part.ratings)
        mean_stars = float(part.ratings[rated].mean()) if rated.any() else 0.0
        with seeded(context.seed, context.device) as rng:
            factors = _Factors(len(part.user_ids), len(part.item_ids), mean_stars).to(context.device)
            losses = (loss for _ in range(epochs) for loss in _epoch(factors, part, rng, context.device))
            minimise(factors, losses, learning_rate=5e-3, weight_decay=0.2)
        known = np.bincount(part.users, minlength=len(part.user_ids)) > 0
        return MatrixFactorization(factors, known, context.device)

    return fit


def _epoch(factors: _Factors, part: Interactions, rng: np.random.Generator, device: torch.device) -> Iterator[Tensor]:
    order = rng.permutation(len(part))
    for start in range(0, len(order), _BATCH):
        batch = part.take(order[start : start + _BATCH])
        users = torch.from_numpy(batch.users.astype(np.int64)).to(device)
        items = torch.from_numpy(batch.items.astype(np.int64)).to(device)
        choice = choice_with(items + 1, len(part.item_ids), _SAMPLED, rng)
        having = functional.cross_entropy(factors.has(users, choice.items - 1), choice.places)
        yield having + _star_loss(factors, users, items, torch.from_numpy(batch.ratings).to(device))


def _star_loss(factors: _Factors, users: Tensor, items: Tensor, stars: Tensor) -> Tensor:
    """Mean squared error over what was rated; 0 where nothing was."""
    rated = ~stars.isnan()
    if not rated.any():
        return stars.new_zeros(())
    return functional.mse_loss(factors.stars(users[rated], items[rated]), stars[rated])
