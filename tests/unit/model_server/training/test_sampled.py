"""Sampled softmax: its own gradient is autograd's, and on average it is the full softmax."""

import torch
from torch.nn import functional

from model_server.training.sampled import NegativeSampler, sampled_softmax_loss
from tests.support.model import assert_close

ITEMS, POSITIONS, WIDTH = 50, 30, 8


def randoms(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    queries = torch.randn(POSITIONS, WIDTH, generator=generator).requires_grad_()
    items = torch.randn(ITEMS, WIDTH, generator=generator).requires_grad_()
    # A few items are wanted often, most hardly ever.
    targets = (torch.rand(POSITIONS, generator=generator) ** 3 * ITEMS).long()
    return queries, items, targets


def sampled(queries: torch.Tensor, items: torch.Tensor, targets: torch.Tensor, negatives: int) -> torch.Tensor:
    sampler = NegativeSampler(targets, ITEMS, negatives)
    drawn = sampler.draw()
    hits = torch.cat([targets, drawn])
    return sampled_softmax_loss(queries, items[targets], items[drawn], sampler.log_expected(drawn), hits)


def test_the_gradient_is_autograds() -> None:
    queries, items, targets = randoms(1)
    sampler = NegativeSampler(targets, ITEMS, 20)
    with torch.random.fork_rng():
        torch.manual_seed(2)
        drawn = sampler.draw()
        torch.manual_seed(2)
        got = sampled(queries, items, targets, 20)
    logits = queries @ items[drawn].T - sampler.log_expected(drawn)
    logits = logits.masked_fill(targets[:, None] == drawn, float("-inf"))
    at_target = (queries * items[targets]).sum(1, keepdim=True)
    wanted = functional.cross_entropy(torch.cat([at_target, logits], dim=1), torch.zeros_like(targets))
    assert_close(got, wanted)
    gradients = torch.autograd.grad(got * 3, (queries, items)), torch.autograd.grad(wanted * 3, (queries, items))
    for gradient, wanted_gradient in zip(*gradients, strict=True):
        assert_close(gradient, wanted_gradient)


def test_with_many_draws_it_is_the_full_softmax() -> None:
    queries, items, targets = randoms(3)
    wanted = functional.cross_entropy(queries @ items.T, targets)
    wanted_gradient = torch.autograd.grad(wanted, items)[0]
    with torch.random.fork_rng():
        torch.manual_seed(4)
        got = sampled(queries, items, targets, 200_000)
    assert abs(got.item() - wanted.item()) < 0.02
    assert_close(torch.autograd.grad(got, items)[0], wanted_gradient, atol=2e-3)


def test_draws_come_as_often_as_their_correction_says() -> None:
    sampler = NegativeSampler(torch.tensor([0, 0, 0, 1]), 10, 100_000)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        counts = sampler.draw().bincount(minlength=10)
    expected = sampler.log_expected(torch.arange(10)).exp()
    assert torch.allclose(counts.float(), expected, rtol=0.06)
    assert round(expected.sum().item()) == 100_000
