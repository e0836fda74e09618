"""Everybody's own gradient, many people at a time.

`torch.vmap` over the loss of one person's window: with the small networks that privacy allows, five times as fast as
one person after the other, and the same numbers. They are left in `grad_sample`, where opacus's optimizer expects them.
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap

from model_server.model.network import SequenceNetwork
from model_server.model.sequences import SequenceBatch
from model_server.privacy.windows import Windows

_MOST_LOGITS: Final = 8_000_000  # of all people of a part: 32 MB, and a few times that in the backward pass
_MOST_PEOPLE: Final = 64


class PersonLoss(nn.Module):
    """The mean loss over one person's window: cross-entropy over all items, without what was had before.

    It looks at nobody else: no negatives by how often an item occurs, no batch statistics, no start from counts.

    Args:
        network: in evaluation mode, so without dropout.
        texts: (N, text_dimension) by row.
    """

    def __init__(self, network: SequenceNetwork, texts: Tensor) -> None:
        super().__init__()
        self.network = network
        self._texts = texts
        self._rows = torch.arange(len(texts), device=texts.device)

    def forward(self, positions: Tensor, kinds: Tensor, gaps: Tensor, targets: Tensor, real: Tensor) -> Tensor:
        """(L,) columns of `Windows` -> the loss."""
        items = self.network.item_vectors(self._rows, self._texts)
        sequence = SequenceBatch(positions[None], kinds[None], gaps[None], real.sum()[None])
        queries = self.network.encode_positions(sequence, items)[0]
        logits = queries @ items.T / self.network.temperature()
        at_target = logits.gather(1, targets[:, None])[:, 0]
        had = torch.zeros_like(logits).scatter(1, positions[:, None], 1.0).cumsum(0) > 0
        others = logits.masked_fill(had, float("-inf")).logsumexp(dim=1)
        # What is had again competes with the others, as itself.
        again = had.gather(1, targets[:, None])[:, 0]
        total = torch.where(again, torch.logaddexp(others, at_target), others)
        return ((total - at_target) * real).sum() / real.sum()


class PeoplesGradients:
    """See the module.

    Args:
        loss: of one person.
    """

    def __init__(self, loss: PersonLoss) -> None:
        self._loss = loss
        self._weights = {name: weight for name, weight in loss.named_parameters() if weight.requires_grad}
        self._of_each = vmap(grad_and_value(self._of_one), in_dims=(None, 0, 0, 0, 0, 0))

    def people_at_once(self, length: int, items: int) -> int:
        """So many that the memory stays bounded."""
        return max(1, min(_MOST_PEOPLE, _MOST_LOGITS // (length * items)))

    def leave(self, windows: Windows) -> float:
        """Leave (B, *) gradients of B people in every weight's `grad_sample`; returns the sum of their losses."""
        if not len(windows):
            for weight in self._weights.values():
                weight.grad_sample = weight.new_zeros((0, *weight.shape))  # type: ignore[attr-defined]  # opacus's name
            return 0.0
        values = {name: weight.detach() for name, weight in self._weights.items()}
        device = next(iter(values.values())).device
        gradients, losses = self._of_each(values, *(column.to(device) for column in windows.columns()))
        for name, weight in self._weights.items():
            weight.grad_sample = gradients[name]  # type: ignore[attr-defined]  # opacus's name
        return float(losses.sum())

    def _of_one(self, weights: dict[str, Tensor], *columns: Tensor) -> Tensor:
        loss: Tensor = functional_call(self._loss, weights, columns)
        return loss
