"""Which items the text encoder is fine-tuned with, and which of them it is validated on."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.data.interactions import Interactions


@dataclass(frozen=True, slots=True, eq=False)
class Universe:
    """M items of a catalog, numbered from 0.

    Args:
        items: (M,) their places in the catalog, ascending.
        cold: (M,) bool: held out; nothing is learned of or against them.
        log: what happened to the M, items by their number.
    """

    items: NDArray[np.int64]
    cold: NDArray[np.bool_]
    log: Interactions

    def __len__(self) -> int:
        return len(self.items)

    def learnable(self) -> Interactions:
        """What happened to those that are not held out."""
        return self.log.take(~self.cold[self.log.items])


def choose_items(log: Interactions, most: int, cold_share: float, rng: np.random.Generator) -> Universe:
    """Of the items that something happened to, at most so many: by chance, in proportion to their events.

    Args:
        log: in time order.
        most: items.
        cold_share: of them, how many are held out.
        rng: chance.
    """
    counts = np.bincount(log.items, minlength=len(log.item_ids))
    touched = np.flatnonzero(counts)
    if len(touched) > most:
        chances = counts[touched] / counts[touched].sum()
        touched = np.sort(rng.choice(touched, size=most, replace=False, p=chances))
    cold = np.zeros(len(touched), dtype=np.bool_)
    cold[rng.permutation(len(touched))[: round(cold_share * len(touched))]] = True
    number_of = np.full(len(log.item_ids), -1, dtype=np.int32)
    number_of[touched] = np.arange(len(touched))
    kept = log.take(number_of[log.items] >= 0)
    return Universe(touched.astype(np.int64), cold, _renumbered(kept, number_of, touched))


def _renumbered(log: Interactions, number_of: NDArray[np.int32], items: NDArray[np.intp]) -> Interactions:
    return replace(log, items=number_of[log.items], item_ids=tuple(log.item_ids[item] for item in items))
