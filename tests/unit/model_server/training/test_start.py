"""Items that were done close together start close together."""

import numpy as np
import torch
from torch.nn import functional

from model_server.training.chunks import histories_of
from model_server.training.start import cooccurrence_start
from tests.support.model import interactions_of


def test_two_worlds_start_apart() -> None:
    rng = np.random.default_rng(3)
    worlds = [rng.permutation(10) + 10 * (user % 2) for user in range(40)]
    rows = [(user, int(world[step]), step) for step in range(5) for user, world in enumerate(worlds)]
    histories = histories_of(interactions_of(rows, users=40, items=20))
    torch.manual_seed(0)
    start = functional.normalize(cooccurrence_start(histories, items=20, dimension=8), dim=1)
    alike = start @ start.T
    assert alike[:10, :10].mean() > alike[:10, 10:].mean() + 0.1


def test_single_events_and_small_catalogs_start_somewhere() -> None:
    alone = histories_of(interactions_of([(0, 1, 1), (1, 2, 2)], users=2, items=4))
    assert not cooccurrence_start(alone, items=4, dimension=8).any()
    pair = histories_of(interactions_of([(0, 0, 1), (0, 1, 2)], users=1, items=2))
    assert cooccurrence_start(pair, items=2, dimension=8).isfinite().all()
