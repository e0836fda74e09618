"""Full softmax cross-entropy over the whole catalog, in blocks, with its own gradient.

The (T, N) logits of T positions and N items are never kept: each block's logits become its gradient at once, so
memory is bounded and the second pass over them that autograd would make is saved.

Some items may be left out of a position's comparison (`model_server.training.had`).
"""

from typing import Any, Final

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from model_server.training.had import Had

_BLOCK_LOGITS: Final = 1_000_000  # 4 MB of float32: stays in the caches


class _FullSoftmax(torch.autograd.Function):
    """Mean of -log softmax(queries @ items.T)[target]."""

    @staticmethod
    def forward(ctx: Any, queries: Tensor, items: Tensor, targets: Tensor, half: bool, had: Had | None) -> Tensor:
        positions = len(targets)
        query_gradient = torch.empty_like(queries)
        item_gradient = torch.zeros_like(items)
        loss = queries.new_zeros(())
        block = max(1, _BLOCK_LOGITS // len(items))
        multiplied = _Multiplied(items, block, half=half)
        for start in range(0, positions, block):
            part, wanted = queries[start : start + block], targets[start : start + block, None]
            logits = multiplied.logits(part)
            at_target = logits.gather(1, wanted)
            if had is not None:
                logits[had.pairs(slice(start, start + block), items.device)] = -torch.inf
                logits.scatter_(1, wanted, at_target)  # what is had again competes
            highest = logits.amax(dim=1, keepdim=True)
            weights = logits.sub_(highest).exp_()
            total = weights.sum(dim=1, keepdim=True)
            loss += (total.log() + highest - at_target).sum()
            error = weights.div_(total).scatter_add_(1, wanted, torch.full_like(at_target, -1.0))
            multiplied.add_gradients(error, part, query_gradient[start : start + block], item_gradient)
        ctx.save_for_backward(query_gradient.div_(positions), item_gradient.div_(positions))
        return loss / positions

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        query_gradient, item_gradient = ctx.saved_tensors
        return query_gradient * gradient, item_gradient * gradient, None, None, None


class _Multiplied:
    """The three products with the items, in float32 or in bfloat16; what comes out is float32.

    Args:
        items: (N, D).
        block: most rows at a time.
        half: multiply in bfloat16.
    """

    def __init__(self, items: Tensor, block: int, *, half: bool) -> None:
        self._half = half
        self._items = items.bfloat16() if half else items
        self._logits = items.new_empty((block, len(items)))
        self._rounded = self._logits.bfloat16() if half else self._logits

    def logits(self, part: Tensor) -> Tensor:
        """(R, D) -> (R, N), overwritten by the next call."""
        rounded = torch.mm(part.to(self._items.dtype), self._items.T, out=self._rounded[: len(part)])
        return self._logits[: len(part)].copy_(rounded) if self._half else rounded

    def add_gradients(self, error: Tensor, part: Tensor, query_gradient: Tensor, item_gradient: Tensor) -> None:
        """From (R, N) errors and (R, D) queries: writes (R, D) and adds to (N, D)."""
        if not self._half:
            torch.mm(error, self._items, out=query_gradient)
            item_gradient.addmm_(error.T, part)
            return
        rounded = self._rounded[: len(part)].copy_(error)
        query_gradient.copy_(torch.mm(rounded, self._items))
        item_gradient.add_(torch.mm(rounded.T, part.bfloat16()))


def full_softmax_loss(
    queries: Tensor, items: Tensor, targets: Tensor, *, half: bool = False, had: Had | None = None
) -> Tensor:
    """The mean cross-entropy of the next item.

    Args:
        queries: (T, D) users as of T positions, divided by the temperature.
        items: (N, D) vectors of the whole catalog.
        targets: (T,) int64, the item that came next.
        half: multiply in bfloat16; the gradient is off by a quarter of a percent of its length.
        had: at each position, what does not compete with the target; None: everything does.
    """
    loss: Tensor = _FullSoftmax.apply(queries, items, targets, half, had)
    return loss
