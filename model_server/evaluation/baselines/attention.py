"""Attention scoring: every candidate looks at the history for itself, and is worth what it finds there.

He et al., "NAIS: neural attentive item similarity model for recommendation", TKDE 2018; the candidate as the query is
also the deep interest network's (Zhou et al., KDD 2018). Score of candidate c after items 1..t:

    sum over l <= t of softmax_l(query_c . key_l / sqrt(D) + fading * l) (worth_c . said_l) + bias_c

The softmax over every prefix is a ratio of two running sums, so a whole chunk trains at once.
"""

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from app.data.interactions import Interactions
from model_server.evaluation.baselines.context import Context, Frozen
from model_server.evaluation.baselines.descent import PADDING, batches, choice_with, chunks, minimise, padded, seeded
from model_server.judging.cases import Cases, Fit

_DIMENSION: Final = 64
_LENGTH: Final = 50
_BATCH: Final = 32
_SAMPLED: Final = 2_048
# Candidates scored at once: 256 histories of 50 items with 2,048 of them are 100 MB.
_BLOCK: Final = 2_048
# Keeps exp() within float32 over a whole history.
_MAX_LOGIT: Final = 20.0


class AttentionScorer(nn.Module):
    """Two vectors per item as a candidate, two as something had; a bias; how fast the past fades.

    Args:
        items: size of the catalog; index 0 is padding.
    """

    def __init__(self, items: int) -> None:
        super().__init__()
        self.candidates = nn.Embedding(items + 1, 2 * _DIMENSION)
        self.had = nn.Embedding(items + 1, 2 * _DIMENSION, padding_idx=PADDING)
        self.biases = nn.Embedding(items + 1, 1)
        self.fading = nn.Parameter(torch.tensor(0.1))
        self.dropout = nn.Dropout(0.3)
        for table in (self.candidates, self.had):
            nn.init.normal_(table.weight, std=_DIMENSION**-0.5)
        nn.init.zeros_(self.biases.weight)

    def forward(self, histories: Tensor, candidates: Tensor) -> Tensor:
        """(B, L) padded histories and (M,) candidates -> (B, L, M): the scores after each item of the history."""
        had = self.dropout(self.had(histories))
        worth = self.dropout(self.candidates(candidates))
        key, said = had.chunk(2, dim=-1)
        query, worth = worth.chunk(2, dim=-1)
        logits = (key @ query.T / math.sqrt(_DIMENSION)).clamp(-_MAX_LOGIT, _MAX_LOGIT)
        ages = torch.arange(histories.shape[1], device=histories.device) - histories.shape[1] / 2
        weights = (logits + (self.fading.clamp(0, 1) * ages)[:, None]).exp() * (histories != PADDING)[..., None]
        found = (weights * (said @ worth.T)).cumsum(dim=1)
        scores: Tensor = found / weights.cumsum(dim=1).clamp(min=1e-30) + self.biases(candidates)[:, 0]
        return scores


def attention(context: Context, epochs: int = 15) -> Fit:
    """Softmax over the catalog, sampled beyond 2,048 items."""

    def fit(part: Interactions) -> Frozen:
        with seeded(context.seed, context.device) as rng:
            scorer = AttentionScorer(len(part.item_ids)).to(context.device)
            losses = (loss for _ in range(epochs) for loss in _epoch(scorer, part, rng, context.device))
            minimise(scorer, losses, learning_rate=2e-3)
        return Frozen(lambda cases: _scores(scorer, cases, len(part.item_ids), context.device))

    return fit


def _epoch(
    scorer: AttentionScorer, part: Interactions, rng: np.random.Generator, device: torch.device
) -> Iterator[Tensor]:
    for rows in batches(chunks(part, _LENGTH, rng), _BATCH):
        batch = rows.to(device)
        known = batch[:, 1:] != PADDING
        choice = choice_with(batch[:, 1:][known], len(part.item_ids), _SAMPLED, rng)
        yield functional.cross_entropy(scorer(batch[:, :-1], choice.items)[known], choice.places)


@torch.inference_mode()
def _scores(scorer: AttentionScorer, cases: Cases, items: int, device: torch.device) -> NDArray[np.floating]:
    """(B, N)."""
    histories = padded([history.items for history in cases.histories], _LENGTH).to(device)
    catalog = batches(torch.arange(1, items + 1, device=device), _BLOCK)
    blocks = [scorer(histories, block)[:, -1] for block in catalog]
    scores: NDArray[np.floating] = torch.cat(blocks, dim=1).cpu().numpy()
    return scores
