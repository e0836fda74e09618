"""What changed from one version to another: its data, the popularity of items, its vectors, what validation said.

Vectors of two trainings cannot be compared one by one: each training turns the space as it likes. Lengths and nearest
neighbours can be.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from model_server.drift.psi import psi
from model_server.drift.reference import Reference
from model_server.model.members import each_of
from model_server.registry.version import ModelVersion, TrainedModel

_NEIGHBOURS: Final = 10
_LOOKED_AT: Final = 5_000  # items; more say the same
_BLOCK: Final = 512
_VALIDATED: Final = ("validation_hr10", "validation_ndcg10")


@dataclass(frozen=True, slots=True)
class Change:
    """A figure of the one version and of the other."""

    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """See the module.

    Attributes:
        psi: by what: `kinds`, `hours`, `items` (each by tenth of the popularity before them) and `activity`; empty
            where a version has no reference.
        figures: name -> before and after: `items`, `events`, `id_norm` (mean length of the learned ID embeddings) and
            what validation said.
        items_gone, items_come: trained items that only one of them knows.
        churn: (L,) of items that both know, the share of the ten nearest trained items that are others now; a seeded
            choice of at most 5,000, and only neighbours that both know.
    """

    psi: dict[str, float]
    figures: dict[str, Change]
    items_gone: int
    items_come: int
    churn: NDArray[np.float64]


def compared(before: ModelVersion, after: ModelVersion, seed: int = 0) -> Comparison:
    """The comparison; on CPUs, a few seconds for a hundred thousand items.

    Args:
        before: one version.
        after: the other.
        seed: of the choice of items whose neighbours are looked at.
    """
    old, new = before.model, after.model
    known = set(new.item_ids)
    shared = [item_id for item_id in old.item_ids if item_id in known]
    return Comparison(
        psi=_events(old.reference, new.reference),
        figures=_figures(old, new),
        items_gone=len(old.item_ids) - len(shared),
        items_come=len(new.item_ids) - len(shared),
        churn=churn(_vectors(old, shared), _vectors(new, shared), seed),
    )


@torch.inference_mode()
def churn(before: torch.Tensor, after: torch.Tensor, seed: int) -> NDArray[np.float64]:
    """(L,) see `Comparison`; both (N, D) of length 1, rows of the same items; empty where there are too few items."""
    items = len(before)
    if items <= _NEIGHBOURS:
        return np.zeros(0)
    chosen = np.sort(np.random.default_rng(seed).permutation(items)[:_LOOKED_AT])
    kept = []
    for start in range(0, len(chosen), _BLOCK):
        rows = torch.from_numpy(chosen[start : start + _BLOCK])
        one, other = (_nearest(each, rows) for each in (before, after))
        kept.append((one[:, :, None] == other[:, None, :]).any(dim=2).float().mean(dim=1))
    return 1 - torch.cat(kept).double().numpy()


def _nearest(vectors: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    likeness = vectors[rows] @ vectors.T
    likeness[torch.arange(len(rows)), rows] = float("-inf")
    return likeness.topk(_NEIGHBOURS, dim=1).indices


@torch.inference_mode()
def _vectors(model: TrainedModel, item_ids: Sequence[str]) -> torch.Tensor:
    row_of = {item_id: row for row, item_id in enumerate(model.item_ids)}
    rows = torch.tensor([row_of[item_id] for item_id in item_ids], dtype=torch.int64)
    return model.network.item_vectors(rows, torch.from_numpy(model.texts)[rows]).float()


def _events(before: Reference | None, after: Reference | None) -> dict[str, float]:
    if before is None or after is None:
        return {}
    return {name: psi(getattr(before, name), getattr(after, name)) for name in ("kinds", "hours", "items", "activity")}


def _figures(old: TrainedModel, new: TrainedModel) -> dict[str, Change]:
    figures = {
        "events": Change(old.data.events, new.data.events),
        "items": Change(len(old.item_ids), len(new.item_ids)),
        "id_norm": Change(_id_norm(old), _id_norm(new)),
    }
    both = [name for name in _VALIDATED if name in old.metrics and name in new.metrics]
    return figures | {name: Change(old.metrics[name], new.metrics[name]) for name in both}


def _id_norm(model: TrainedModel) -> float:
    tables = [member.item_ids.weight.detach().float() for member in each_of(model.network)]
    return float(torch.cat(tables).norm(dim=1).mean())
