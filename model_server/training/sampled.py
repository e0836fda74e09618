"""Softmax against sampled negatives, for catalogs too large to compare every position with every item.

The sum over all items that a softmax divides by is estimated from `negatives` draws: each counts as many times as it
stands for, 1 / (draws x its probability). That is the logQ correction (Bengio and Senecal, 2008; Yi et al., RecSys
2019); the positive is no draw, so it is not corrected (Khrylchenko et al., RecSys 2025). With more and more draws loss
and gradient become those of the full softmax.
"""

from typing import Any, Final

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_BLOCK_LOGITS: Final = 1_000_000  # 4 MB of float32: stays in the caches


class NegativeSampler:
    """Draws items: one half as often as they occur, the other half evenly. A half alone misses what the other finds.

    Args:
        items: (E,) int64, the item of every training event.
        catalog: how many items there are.
        negatives: how many are drawn at a time, with repetition.
    """

    def __init__(self, items: Tensor, catalog: int, negatives: int) -> None:
        self._items = items
        self._catalog = catalog
        self._negatives = negatives
        self._counts = torch.bincount(items, minlength=catalog)

    def draw(self) -> Tensor:
        """(negatives,) int64 from torch's generator."""
        size, device = (self._negatives,), self._items.device
        occurring = self._items[torch.randint(len(self._items), size, device=device)]
        any_item = torch.randint(self._catalog, size, device=device)
        return torch.where(torch.rand(size, device=device) < 0.5, occurring, any_item)  # noqa: PLR2004 - one half

    def log_expected(self, drawn: Tensor) -> Tensor:
        """How often each of these is expected among the draws, as a logarithm."""
        probability = self._counts[drawn] / (2 * len(self._items)) + 1 / (2 * self._catalog)
        return (self._negatives * probability).log()


class _SampledSoftmax(torch.autograd.Function):
    """See `sampled_softmax_loss`; like the full softmax in blocks, with its own gradient."""

    @staticmethod
    def forward(ctx: Any, queries: Tensor, wanted: Tensor, drawn: Tensor, offsets: Tensor, hits: Tensor) -> Tensor:
        positions = len(queries)
        query_gradient, wanted_gradient = torch.empty_like(queries), torch.empty_like(wanted)
        drawn_gradient = torch.zeros_like(drawn)
        loss = queries.new_zeros(())
        block = max(1, _BLOCK_LOGITS // len(drawn))
        targets, rows = hits[:positions], hits[positions:]
        for start in range(0, positions, block):
            here = slice(start, start + block)
            part = queries[here]
            at_target = (part * wanted[here]).sum(dim=1, keepdim=True)
            logits = torch.addmm(offsets, part, drawn.T)
            logits.masked_fill_(targets[here, None] == rows, float("-inf"))
            highest = torch.maximum(logits.amax(dim=1, keepdim=True), at_target)
            weights = logits.sub_(highest).exp_()
            at_target = at_target - highest
            total = weights.sum(dim=1, keepdim=True) + at_target.exp()
            loss += (total.log() - at_target).sum()
            error = weights.div_(total)
            missing = at_target.exp() / total - 1
            query_gradient[here] = torch.addmm(missing * wanted[here], error, drawn)
            wanted_gradient[here] = missing * part
            drawn_gradient.addmm_(error.T, part)
        ctx.save_for_backward(*(each.div_(positions) for each in (query_gradient, wanted_gradient, drawn_gradient)))
        return loss / positions

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        query_gradient, wanted_gradient, drawn_gradient = ctx.saved_tensors
        return query_gradient * gradient, wanted_gradient * gradient, drawn_gradient * gradient, None, None


def sampled_softmax_loss(queries: Tensor, wanted: Tensor, drawn: Tensor, log_expected: Tensor, hits: Tensor) -> Tensor:
    """The mean cross-entropy of the next item among the draws; a draw that is the next item itself does not count.

    Args:
        queries: (T, D) users as of T positions, divided by the temperature.
        wanted: (T, D) the vectors of the items that came next.
        drawn: (K, D) the vectors of the draws.
        log_expected: (K,) from `NegativeSampler.log_expected`.
        hits: (T + K,) int64, numbers of the items that came next, then those of the draws: equal ones are the same.
    """
    loss: Tensor = _SampledSoftmax.apply(queries, wanted, drawn, -log_expected, hits)
    return loss
