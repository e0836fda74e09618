"""A vote of length one each, and noise."""

import numpy as np

from model_server.privacy.popularity import log_popularity, noisy_votes
from tests.support.model import interactions_of

ROWS = [(0, 0, 1), (0, 1, 2), (0, 1, 3), (1, 1, 4), *((2, item, 5) for item in range(4))]


def votes(
    rows: list[tuple[int, int, int]], noise: float = 0.0, seed: int = 0
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return noisy_votes(interactions_of(rows, users=3, items=5), 5, noise, np.random.default_rng(seed))


def test_one_person_more_moves_the_votes_by_one_at_most() -> None:
    everybody = votes(ROWS)
    for user in range(3):
        without = votes([row for row in ROWS if row[0] != user])
        assert np.isclose(np.linalg.norm(everybody - without), 1.0, atol=0.02)  # to two digits


def test_the_noise_is_as_large_as_was_said() -> None:
    noise = np.concatenate([votes(ROWS, 3.0, seed) - votes(ROWS) for seed in range(400)])
    assert 2.8 < noise.std() < 3.2


def test_items_are_ordered_as_their_votes_are_and_alike_below_the_noise() -> None:
    found = log_popularity(np.array([200.0, 20.0, -7.0, 0.5]), noise=2.0)
    assert np.allclose(found, np.log([10.0, 1.0, 0.1, 0.1]))
