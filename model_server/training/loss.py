"""Full softmax cross-entropy over the whole catalog, in blocks, with its own gradient.

The (T, N) logits of T positions and N items are never kept: each block's logits become its gradient at once, so
memory is bounded and the second pass over them that autograd would make is saved.
"""

from typing import Any, Final

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_BLOCK_LOGITS: Final = 1_000_000  # 4 MB of float32: stays in the caches


class _FullSoftmax(torch.autograd.Function):
    """Mean of -log softmax(queries @ items.T)[target]."""

    @staticmethod
    def forward(ctx: Any, queries: Tensor, items: Tensor, targets: Tensor) -> Tensor:
        positions = len(targets)
        query_gradient = torch.empty_like(queries)
        item_gradient = torch.zeros_like(items)
        loss = queries.new_zeros(())
        block = max(1, _BLOCK_LOGITS // len(items))
        buffer = queries.new_empty((block, len(items)))
        for start in range(0, positions, block):
            part, wanted = queries[start : start + block], targets[start : start + block, None]
            logits = torch.mm(part, items.T, out=buffer[: len(part)])
            at_target = logits.gather(1, wanted)
            highest = logits.amax(dim=1, keepdim=True)
            weights = logits.sub_(highest).exp_()
            total = weights.sum(dim=1, keepdim=True)
            loss += (total.log() + highest - at_target).sum()
            error = weights.div_(total).scatter_add_(1, wanted, torch.full_like(at_target, -1.0))
            torch.mm(error, items, out=query_gradient[start : start + block])
            item_gradient.addmm_(error.T, part)
        ctx.save_for_backward(query_gradient.div_(positions), item_gradient.div_(positions))
        return loss / positions

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        query_gradient, item_gradient = ctx.saved_tensors
        return query_gradient * gradient, item_gradient * gradient, None


def full_softmax_loss(queries: Tensor, items: Tensor, targets: Tensor) -> Tensor:
    """The mean cross-entropy of the next item.

    Args:
        queries: (T, D) users as of T positions, divided by the temperature.
        items: (N, D) vectors of the whole catalog.
        targets: (T,) int64, the item that came next.
    """
    loss: Tensor = _FullSoftmax.apply(queries, items, targets)
    return loss
