"""What a baseline may need beside the training part, and what it may offer beside scores."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray

from app.contracts.catalog import CatalogItem
from app.data.interactions import Interactions
from app.data.wheels import OnMessage
from model_server.judging.cases import Cases, Fit
from model_server.text.encoder import TextEncoder
from model_server.text.pretrained import EncoderOf


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """What is the same for every baseline of one evaluation.

    Args:
        catalog: the N items, in the order of `Interactions.item_ids`.
        half_life_days: after which popularity counts half.
        seed: of everything random.
        device: where torch computes.
        encoder_of: reads the items' texts, as a version's network does.
        cache_dir: where fetched weights are kept.
        on_message: told what is fetched.
    """

    catalog: tuple[CatalogItem, ...]
    half_life_days: float
    seed: int
    device: torch.device
    encoder_of: EncoderOf
    cache_dir: Path
    on_message: OnMessage

    @property
    def encoder(self) -> TextEncoder:
        """As it was pretrained."""
        return self.encoder_of(None)


Factory = Callable[[Context], Fit]
"""Makes what learns from a training part."""


@runtime_checkable
class RatingPredictor(Protocol):
    """A recommender that also says how many stars an item would get."""

    def ratings(self, cases: Cases, items: NDArray[np.int32]) -> NDArray[np.float32]:
        """(B,) stars that each case's user would give to the item beside it."""


@dataclass(frozen=True, slots=True, eq=False)
class Frozen:
    """A recommender that learns nothing after its training: what users did since reaches it in their histories only.

    Args:
        score: as `Recommender.scores`.
    """

    score: Callable[[Cases], NDArray[np.floating]]

    @property
    def online(self) -> bool:
        """Observing changes nothing."""
        return False

    def scores(self, cases: Cases) -> NDArray[np.floating]:
        """As `Recommender.scores`."""
        return self.score(cases)

    def observe(self, events: Interactions) -> None:
        """As the class says."""
