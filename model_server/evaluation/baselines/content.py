"""Likeness of texts alone: what the user touched, added up, the newest most; nothing is learned of anybody."""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from app.contracts.catalog import item_text
from app.data.interactions import Interactions
from model_server.evaluation.baselines.context import Context, Frozen
from model_server.judging.cases import Cases, Fit
from model_server.model.sequences import NEGATIVE_KINDS

_FADING: Final = 0.85
_NEWEST: Final = 20


def content(context: Context) -> Fit:
    """Item-kNN by text: an item is worth its likeness to the user's newest 20, each worth .85 of the one after it."""

    def fit(_part: Interactions) -> Frozen:
        texts = context.encoder.encode([item_text(item) for item in context.catalog])
        return Frozen(lambda cases: _profiles(cases, texts) @ texts.T)

    return fit


def _profiles(cases: Cases, texts: NDArray[np.float32]) -> NDArray[np.float32]:
    """(B, T) of length 1; zeros for who touched nothing."""
    profiles = np.zeros((len(cases), texts.shape[1]), np.float32)
    for row, history in enumerate(cases.histories):
        liked = history.items[~np.isin(history.kinds, sorted(NEGATIVE_KINDS))][: -_NEWEST - 1 : -1]
        profiles[row] = (_FADING ** np.arange(len(liked), dtype=np.float32)) @ texts[liked]
    return torch.nn.functional.normalize(torch.from_numpy(profiles), dim=1).numpy()
