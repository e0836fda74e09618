"""Popularity in which a count halves every `half_life_days`: what a new user sees, and the baseline to beat."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.data.interactions import Interactions

MS_PER_DAY = 86_400_000


@dataclass(frozen=True, slots=True)
class Popularity:
    """Each item's decayed count as of `reference_ts_ms`; items that nobody touched are left out.

    To go on later: weight at t = weight * 0.5 ** ((t - reference_ts_ms) / half life) + what happened since.
    """

    reference_ts_ms: int
    half_life_days: float
    weights: dict[str, float]


def decayed_counts(interactions: Interactions, reference_ts_ms: int, half_life_days: float) -> NDArray[np.float64]:
    """(N,) sum over an item's interactions of 0.5 ** (age / half life), ages seen from `reference_ts_ms`."""
    age_days = (reference_ts_ms - interactions.ts_ms) / MS_PER_DAY
    weights = np.exp2(-age_days / half_life_days)
    counts: NDArray[np.float64] = np.bincount(
        interactions.items, weights=weights, minlength=len(interactions.item_ids)
    ).astype(np.float64)
    return counts


def popularity_of(interactions: Interactions, half_life_days: float) -> Popularity:
    """The popularity at the newest interaction; empty for no interactions."""
    if not len(interactions):
        return Popularity(reference_ts_ms=0, half_life_days=half_life_days, weights={})
    reference_ts_ms = int(interactions.ts_ms[-1])
    counts = decayed_counts(interactions, reference_ts_ms, half_life_days)
    touched = np.flatnonzero(np.bincount(interactions.items, minlength=len(counts)))
    weights = {interactions.item_ids[item]: float(counts[item]) for item in touched}
    return Popularity(reference_ts_ms=reference_ts_ms, half_life_days=half_life_days, weights=weights)
