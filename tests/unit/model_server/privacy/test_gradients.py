"""Everybody's gradient is the one that they would have alone."""

import numpy as np
import torch

from model_server.privacy.gradients import PeoplesGradients, PersonLoss
from model_server.privacy.unrolled import unrolled
from model_server.privacy.windows import Windows, able, windows_of
from model_server.training.batch_loss import BatchLoss, Halves
from model_server.training.chunks import epoch_batches, histories_of
from tests.support.model import TEXT_DIMENSION, interactions_of, tiny_config, tiny_network

ITEMS, LENGTH = 12, 6
ROWS = [(user, (3 * user + step) % ITEMS, 60_000 * step + user) for step in range(LENGTH + 1) for user in range(3)]
LOG = interactions_of([*ROWS, (3, 5, 10**9)], users=5, items=ITEMS)
TEXTS = torch.randn(ITEMS, TEXT_DIMENSION, generator=torch.Generator().manual_seed(3))


def drawn(users: list[int]) -> Windows:
    return windows_of(histories_of(LOG), np.array(users, dtype=np.intp), LENGTH, np.random.default_rng(0))


def test_they_are_those_of_the_ordinary_loss_of_a_person_alone() -> None:
    network = tiny_network(config=tiny_config(items=ITEMS, dropout=0.0))
    learner = unrolled(network)
    PeoplesGradients(PersonLoss(learner, TEXTS)).leave(drawn([0, 1, 2]))
    theirs = {name: weight.grad_sample for name, weight in learner.named_parameters()}  # type: ignore[attr-defined]  # opacus's name
    ordinary = BatchLoss(network, TEXTS, None, Halves(), hides_had=True)
    for user in range(3):
        alone = histories_of(LOG.take(LOG.users == user))
        (batch,) = epoch_batches(alone, 10**6, 1, np.random.default_rng(1))
        network.zero_grad()
        ordinary(batch).backward()
        for name, weight in network.named_parameters():
            assert weight.grad is not None
            assert torch.allclose(theirs[name][user], weight.grad, atol=1e-5), name


def test_another_person_changes_nothing() -> None:
    learner = unrolled(tiny_network(config=tiny_config(items=ITEMS)))
    gradients = PeoplesGradients(PersonLoss(learner, TEXTS))
    gradients.leave(drawn([0, 1, 2]))
    with_others = learner.item_ids.weight.grad_sample[0]  # type: ignore[attr-defined]  # opacus's name
    gradients.leave(drawn([0]))
    assert torch.allclose(learner.item_ids.weight.grad_sample[0], with_others, atol=1e-6)  # type: ignore[attr-defined]  # opacus's name


def test_nobody_drawn_leaves_nobodys_gradients() -> None:
    learner = unrolled(tiny_network(config=tiny_config(items=ITEMS)))
    assert PeoplesGradients(PersonLoss(learner, TEXTS)).leave(drawn([])) == 0
    assert learner.item_ids.weight.grad_sample.shape == (0, ITEMS, 16)  # type: ignore[attr-defined]  # opacus's name


def test_windows_are_bounded_and_whole_histories_where_those_are_short() -> None:
    histories = histories_of(LOG)
    assert able(histories).tolist() == [0, 1, 2]
    seen = set()
    for seed in range(60):
        windows = windows_of(histories, np.array([0, 2]), 2, np.random.default_rng(seed))
        assert windows.real.all()
        first = int(windows.positions[0, 0])
        seen.add(first)
        assert windows.positions[0].tolist() == [first, first + 1]
        assert windows.targets[0].tolist() == [first + 1, first + 2]
    assert seen == set(range(LENGTH - 1))
    whole = windows_of(histories, np.array([1]), 50, np.random.default_rng(0))
    assert int(whole.real.sum()) == LENGTH
    assert whole.positions.shape == (1, 50)


def test_parts_hold_everybody_once() -> None:
    parts = drawn([0, 1, 2]).parts(2)
    assert [len(part) for part in parts] == [2, 1]
    assert torch.equal(torch.cat([part.targets for part in parts]), drawn([0, 1, 2]).targets)
