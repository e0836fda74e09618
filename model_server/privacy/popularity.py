"""Popularity that says next to nothing about any single person.

Everybody has one vote, a vector of length 1 over what they had, and Gaussian noise is added to the sum: one person
more or less moves it by 1 at most. Votes do not fade with age: most would have faded below the noise.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from app.data.interactions import Interactions


def noisy_votes(log: Interactions, items: int, noise: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """(items,) what each item got, and noise; may be below 0.

    Args:
        log: what people did.
        items: in the catalogue; known to everybody.
        noise: standard deviation.
        rng: of the noise, and of nothing else: nobody must be able to draw the same.
    """
    shape = (len(log.user_ids), items)
    had = csr_matrix((np.ones(len(log)), (log.users, log.items)), shape=shape)
    had.data[:] = 1.0  # twice is once
    lengths = np.sqrt(had.sum(axis=1)).A1
    votes: NDArray[np.float64] = had.T @ (1 / np.maximum(lengths, 1.0))
    # Sums of draws, to two digits: what is published says nothing of the generator (arXiv:2107.10138).
    published: NDArray[np.float64] = np.round(votes + rng.normal(0.0, noise, (4, items)).sum(axis=0) / 2, 2)
    return published


def log_popularity(votes: NDArray[np.float64], noise: float) -> NDArray[np.float32]:
    """(items,) nats above or below the middle between the most and the least popular. Looks at noisy votes only."""
    logs = np.log(np.maximum(votes, max(noise, 1.0)))  # what is below the noise is all alike
    middled: NDArray[np.float32] = (logs - (logs.max() + logs.min()) / 2).astype(np.float32)
    return middled
