"""Intervals by the bootstrap over users (Efron and Tibshirani, 1993): who has many cases is drawn with all of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

RESAMPLES: Final = 2_000
_DRAWS_AT_ONCE: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over cases and where it lies in most resamples: 95 of 100 where nothing else is said."""

    mean: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """A difference that is none of chance's."""
        return self.low > 0 or self.high < 0


def bootstrap(
    users: NDArray[np.int64],
    columns: NDArray[np.float64],
    seed: int,
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> list[Interval]:
    """An interval for the mean of each column, all from the same resamples.

    For a paired comparison give the differences of two recommenders' columns.

    Args:
        users: (C,) whose case it is.
        columns: (C, K) what was measured in each case.
        seed: of the resamples.
        resamples: how many.
        level: share of the resamples that lie inside.

    Returns:
        K intervals; zeros where there are no cases.
    """
    if not len(users):
        return [Interval(0.0, 0.0, 0.0)] * columns.shape[1]
    _, user_of_case = np.unique(users, return_inverse=True)
    cases = np.bincount(user_of_case).astype(np.float64)
    sums = np.stack([np.bincount(user_of_case, weights=column) for column in columns.T], axis=1)
    resampled = np.concatenate(
        [drawn @ sums / (drawn @ cases)[:, None] for drawn in _draws(len(cases), seed, resamples)]
    )
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2], axis=0)
    means = columns.mean(axis=0)
    return [Interval(*map(float, each)) for each in zip(means, low, high, strict=True)]


def _draws(users: int, seed: int, resamples: int) -> Iterator[NDArray[np.float64]]:
    """(R, users) blocks: how often each user was drawn in each resample."""
    rng = np.random.default_rng(seed)
    at_once = max(1, _DRAWS_AT_ONCE // users)
    for start in range(0, resamples, at_once):
        count = min(at_once, resamples - start)
        drawn = rng.integers(users, size=(count, users)) + np.arange(count)[:, None] * users
        yield np.bincount(drawn.ravel(), minlength=count * users).reshape(count, users).astype(np.float64)
