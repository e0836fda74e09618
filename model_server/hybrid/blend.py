"""The blend: a candidate is worth the weighted sum of what its sources say. Pure: arrays in, arrays out.

The weights are chosen on validation when a version is trained (`model_server.hybrid.choice`) and belong to it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import msgspec
import numpy as np
from numpy.typing import NDArray

from model_server.hybrid.worths import Worths


class Blended(StrEnum):
    """The sources that are blended; published as the `source` of an item to which this one contributed most."""

    MODEL = "model"
    COVISITATION = "covisitation"
    NEIGHBOURS = "neighbours"
    POPULARITY = "popularity"


BLENDED = tuple(Blended)


class BlendWeights(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much each source counts; 0: it is not asked. The network's own weight is 1 unless there is none."""

    model: float = 1.0
    covisitation: float = 0.0
    neighbours: float = 0.0
    popularity: float = 0.0

    def of(self, source: Blended) -> float:
        """The weight of this source."""
        weight: float = getattr(self, source.value)
        return weight

    def asked(self) -> tuple[Blended, ...]:
        """The sources that count."""
        return tuple(source for source in BLENDED if self.of(source) > 0)


NETWORK_ALONE = BlendWeights()


@dataclass(frozen=True, slots=True, eq=False)
class Ordered:
    """B users' K best candidates, the best first.

    Args:
        slots: (B, K) int64.
        scores: (B, K) float64.
        sources: (B, K) int64, numbers of the sources that contributed most.
        counts: (B,) how many of a row are candidates; what stands behind them means nothing.
    """

    slots: NDArray[np.int64]
    scores: NDArray[np.float64]
    sources: NDArray[np.int64]
    counts: NDArray[np.int64]


def blend(worths: Worths, weights: NDArray[np.float32], size: int) -> Ordered:
    """Order the candidates by the weighted sum; of equal ones the lower slot comes first.

    Args:
        worths: of S sources.
        weights: (S,).
        size: K, at most.
    """
    total = np.tensordot(weights, worths.worth, axes=1)
    size = min(size, total.shape[1])
    if size < total.shape[1]:
        places = np.sort(np.argpartition(-total, size - 1, axis=1)[:, :size], axis=1)
    else:
        places = np.tile(np.arange(size), (len(total), 1))
    values = np.take_along_axis(total, places, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    places, values = np.take_along_axis(places, order, axis=1), np.take_along_axis(values, order, axis=1)
    said = np.take_along_axis(worths.worth, places[None], axis=2) * weights[:, None, None]
    sources = said.argmax(axis=0) if size else np.zeros(places.shape, np.int64)
    return Ordered(worths.slots[places], values.astype(np.float64), sources, (values > 0).sum(axis=1))


def stacked(parts: Iterable[Ordered], size: int) -> Ordered:
    """The users of all parts, one below the other, K = `size` wide."""
    wide = [_widened(part, size) for part in parts]
    return Ordered(
        np.concatenate([part.slots for part in wide]),
        np.concatenate([part.scores for part in wide]),
        np.concatenate([part.sources for part in wide]),
        np.concatenate([part.counts for part in wide]),
    )


def _widened(part: Ordered, size: int) -> Ordered:
    missing = ((0, 0), (0, size - part.slots.shape[1]))
    return Ordered(
        np.pad(part.slots, missing), np.pad(part.scores, missing), np.pad(part.sources, missing), part.counts
    )
