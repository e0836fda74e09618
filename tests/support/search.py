"""Searching for one query after the other, in lists."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from app.surfaces.marks import Pairs
from model_server.items.search import Search


class Found(NamedTuple):
    """What one query found, the best first."""

    slots: list[int]
    scores: list[float]


def search_for(search: Search, queries: Tensor, hidden: Sequence[Sequence[int]], size: int) -> list[Found]:
    """What each query finds; `hidden` are the slots that it may not find."""
    users = np.repeat(np.arange(len(hidden)), [len(own) for own in hidden])
    ranked = search.best(queries, Pairs(users, np.array([slot for own in hidden for slot in own], np.int64)), size)
    rows = zip(ranked.counts.tolist(), ranked.slots.tolist(), ranked.scores.tolist(), strict=True)
    return [Found(slots[:count], scores[:count]) for count, slots, scores in rows]
