"""Counts teach: the targets are softened by what they say, and by nothing else."""

import torch
from torch.nn import functional

from model_server.training.chunks import histories_of
from model_server.training.loss import full_softmax_loss
from model_server.training.soft_targets import SoftTargets, neighbours_of
from tests.support.model import assert_close, interactions_of


def test_neighbours_are_what_follows_closely_as_shares() -> None:
    # 0 is followed by 1, then 2; 3 stands alone.
    log = interactions_of([(0, 0, 1), (0, 1, 2), (0, 2, 3), (1, 3, 4)], users=2, items=4)
    shares = neighbours_of(histories_of(log), items=4).to_dense()
    assert_close(shares[0], torch.tensor([0, 2 / 3, 1 / 3, 0]))
    assert_close(shares[1], torch.tensor([1 / 3, 0, 2 / 3, 0]))
    assert_close(shares[2], torch.tensor([1 / 3, 2 / 3, 0, 0]))
    assert not shares[3].any()


def test_only_the_ten_strongest_are_kept() -> None:
    rows = [(user, item, step) for user in range(12) for step, item in enumerate((0, 1 + user))]
    rows += [(user, item, step) for user in range(12, 14) for step, item in enumerate((0, 1 + user - 2))]
    log = interactions_of(sorted(rows, key=lambda row: row[2]), users=14, items=13)
    shares = neighbours_of(histories_of(log), items=13).to_dense()
    assert int((shares[0] > 0).sum()) == 10
    assert_close(shares[0].sum(), torch.tensor(1.0))
    assert set(shares[0].topk(2).indices.tolist()) == {11, 12}


def test_the_loss_is_that_of_the_mixed_target() -> None:
    generator = torch.Generator().manual_seed(1)
    queries, items = (torch.randn(n, 8, generator=generator).requires_grad_() for n in (5, 4))
    targets, newest = torch.tensor([0, 1, 2, 3, 0]), torch.tensor([1, 0, 0, 3, 2])
    shares = torch.tensor([[0, 0.5, 0.5, 0], [1, 0, 0, 0], [0.25, 0.75, 0, 0], [0, 0, 0, 0]])
    mixed = 0.8 * functional.one_hot(targets, 4) + 0.2 * shares[newest]
    mixed[3] = functional.one_hot(targets, 4)[3].float()  # whose newest item has no neighbours
    wanted = functional.cross_entropy(queries @ items.T, mixed)
    soft = SoftTargets(shares.to_sparse(), share=0.2)
    got = full_softmax_loss(queries, items, targets) + soft.correction(queries, items, targets, newest)
    assert_close(got, wanted)
    gradients = (torch.autograd.grad(loss, (queries, items)) for loss in (got, wanted))
    for one, other in zip(*gradients, strict=True):
        assert_close(one, other)


def test_without_pairs_nothing_is_softened() -> None:
    alone = histories_of(interactions_of([(0, 1, 1), (1, 2, 2)], users=2, items=4))
    assert not neighbours_of(alone, items=4).to_dense().any()
