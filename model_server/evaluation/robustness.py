"""What a few events that mean nothing do to a list: a child with the phone, a slip of the finger."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.data.interactions import Interactions
from model_server.judging.cases import Cases

_AMONG_NEWEST: Final = 10


@dataclass(frozen=True, slots=True)
class Noise:
    """Puts random items among the newest 10 events of every history, where they weigh most.

    Each is an event like the one that it comes before (kind, time, place), of an item drawn from the whole catalog; a
    case is always given the same ones. An empty history stays empty.

    Args:
        events: how many.
        items: size of the catalog.
        seed: of the draws.
    """

    events: int
    items: int
    seed: int

    def __call__(self, cases: Cases) -> Cases:
        """The same cases with the noise in them."""
        moments = zip(cases.histories, cases.users.tolist(), cases.now_ms.tolist(), strict=True)
        return replace(cases, histories=[self._noisy(history, user, now_ms) for history, user, now_ms in moments])

    def _noisy(self, history: Interactions, user: int, now_ms: int) -> Interactions:
        count = len(history)
        if not count:
            return history
        rng = np.random.default_rng([self.seed, user, now_ms])
        before = np.sort(rng.integers(max(0, count - _AMONG_NEWEST), count + 1, size=self.events))
        like = np.minimum(before, count - 1)
        # Positions after the insertion: what comes before them moved them along.
        order = np.argsort(np.concatenate([np.arange(count), before - 0.5]), kind="stable")
        noisy = history.take(np.concatenate([np.arange(count), like])[order])
        items = np.concatenate([history.items, rng.integers(self.items, size=self.events, dtype=np.int32)])
        return replace(noisy, items=items[order])


def kept_share(lists: NDArray[np.int32], noisy: NDArray[np.int32]) -> NDArray[np.float64]:
    """(C,) which share of each list is still in the one made with noise; 1 for an empty list.

    Args:
        lists: (C, 10), -1 where a list is shorter.
        noisy: the same with noise.
    """
    there = lists >= 0
    kept = (lists[:, :, None] == noisy[:, None, :]).any(axis=2) & there
    counts = there.sum(axis=1)
    share: NDArray[np.float64] = np.where(counts > 0, kept.sum(axis=1) / np.maximum(counts, 1), 1.0)
    return share
