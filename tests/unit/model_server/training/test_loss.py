"""The blocked softmax loss gives autograd's numbers."""

import pytest
import torch
from torch.nn import functional

from model_server.training import loss as loss_module
from model_server.training.had import Had
from model_server.training.loss import full_softmax_loss
from tests.support.model import assert_close


def test_loss_and_gradients_equal_autograds() -> None:
    generator = torch.Generator().manual_seed(1)
    queries = torch.randn(37, 8, generator=generator).mul(5).requires_grad_()
    items = torch.randn(11, 8, generator=generator).requires_grad_()
    targets = torch.randint(11, (37,), generator=generator)
    wanted = functional.cross_entropy(queries @ items.T, targets)
    wanted_gradients = torch.autograd.grad(wanted * 3, (queries, items))
    got = full_softmax_loss(queries, items, targets)
    assert_close(got, wanted)
    for gradient, wanted_gradient in zip(torch.autograd.grad(got * 3, (queries, items)), wanted_gradients, strict=True):
        assert_close(gradient, wanted_gradient)


def test_blocks_change_nothing() -> None:
    generator = torch.Generator().manual_seed(2)
    items = 1_000
    positions = 2 * loss_module._BLOCK_LOGITS // items + 5  # noqa: SLF001 - as many as need three blocks
    queries = torch.randn(positions, 4, generator=generator).requires_grad_()
    vectors = torch.randn(items, 4, generator=generator).requires_grad_()
    targets = torch.randint(items, (positions,), generator=generator)
    wanted = functional.cross_entropy(queries @ vectors.T, targets)
    wanted_gradients = torch.autograd.grad(wanted, (queries, vectors))
    got = full_softmax_loss(queries, vectors, targets)
    assert_close(got, wanted)
    for gradient, wanted_gradient in zip(torch.autograd.grad(got, (queries, vectors)), wanted_gradients, strict=True):
        assert_close(gradient, wanted_gradient)


def test_huge_logits_do_not_overflow() -> None:
    queries = torch.tensor([[1_000.0, 0.0]], requires_grad=True)
    items = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    assert full_softmax_loss(queries, items, torch.tensor([1])).item() == 2_000.0


def test_bfloat16_is_off_by_a_little() -> None:
    generator = torch.Generator().manual_seed(3)
    queries = torch.randn(300, 16, generator=generator).requires_grad_()
    vectors = torch.randn(7_000, 16, generator=generator).requires_grad_()
    targets = torch.randint(7_000, (300,), generator=generator)
    exact, rounded = (full_softmax_loss(queries, vectors, targets, half=half) for half in (False, True))
    assert abs(exact.item() - rounded.item()) < 1e-3 * exact.item()
    gradients = (torch.autograd.grad(each, (queries, vectors)) for each in (exact, rounded))
    for one, other in zip(*gradients, strict=True):
        assert (one - other).norm() < 0.01 * one.norm()


def test_what_was_had_does_not_compete_unless_it_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss_module, "_BLOCK_LOGITS", 15)  # three positions
    generator = torch.Generator().manual_seed(4)
    queries, items = (torch.randn(n, 8, generator=generator).requires_grad_() for n in (4, 5))
    targets = torch.tensor([1, 2, 3, 2])
    # Three events of one user, then two of another, who comes back to item 2.
    had = Had(torch.tensor([0, 1, 2, 4, 2]), first=torch.tensor([0, 0, 0, 3]), end=torch.tensor([1, 2, 3, 5]))
    hidden = [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2), (3, 4)]
    logits = queries @ items.T
    for position, item in hidden:
        logits[position, item] = -torch.inf
    wanted = functional.cross_entropy(logits, targets)
    got = full_softmax_loss(queries, items, targets, had=had)
    assert_close(got, wanted)
    gradients = (torch.autograd.grad(loss, (queries, items)) for loss in (got, wanted))
    for one, other in zip(*gradients, strict=True):
        assert_close(one, other)
