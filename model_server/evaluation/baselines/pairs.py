"""Pairs that the data gives to models of text: what somebody had had, and what came next."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.data.interactions import Interactions, by_user


@dataclass(frozen=True, slots=True, eq=False)
class HistoryEnd:
    """A moment in a history: the items until then, oldest first, never none, and the next one."""

    before: NDArray[np.int32]
    item: int


def history_ends(log: Interactions, count: int, rng: np.random.Generator) -> Sequence[HistoryEnd]:
    """`count` moments of the log drawn at random, again and again where there are fewer; none of an empty log."""
    histories = [log.items[positions] for positions in by_user(log) if len(positions) > 1]
    moments = np.array([len(history) - 1 for history in histories])
    if not len(moments):
        return []
    last = np.cumsum(moments)
    drawn = np.concatenate([rng.permutation(last[-1]) for _ in range(-(-count // last[-1]))])[:count]
    users = np.searchsorted(last, drawn, side="right")
    steps = drawn - (last - moments)[users] + 1
    return [
        HistoryEnd(histories[user][:step], int(histories[user][step]))
        for user, step in zip(users.tolist(), steps.tolist(), strict=True)
    ]


def newest_first(history: NDArray[np.int32], count: int) -> list[int]:
    """The newest `count` items."""
    newest: list[int] = history[: -count - 1 : -1].tolist()
    return newest
