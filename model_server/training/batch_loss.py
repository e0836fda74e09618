"""The loss of a batch of sequences, as a module, so that torch's DistributedDataParallel can wrap it.

A catalog up to `ALL_ITEMS` is compared whole. Of a larger one each step touches the items that it reads, predicts and
draws as negatives: their vectors alone are made, their rows alone have a gradient (on a CPU) and are moved.
"""

from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor, nn

from model_server.model.network import SequenceNetwork
from model_server.training.chunks import TrainingBatch
from model_server.training.loss import full_softmax_loss
from model_server.training.options import TrainingOptions
from model_server.training.sampled import NegativeSampler, sampled_softmax_loss
from model_server.training.soft_targets import SoftTargets

ALL_ITEMS: Final = 50_000
"""Largest catalog that every position is compared with all of, unless the options say otherwise."""
NEGATIVES: Final = 4_096


def negatives_for(options: TrainingOptions, items: int) -> int:
    """How many negatives each step draws; 0: all items are compared with."""
    if options.negatives is not None:
        return options.negatives
    return NEGATIVES if items > ALL_ITEMS else 0


@dataclass(frozen=True, slots=True)
class Halves:
    """What is multiplied in bfloat16; the rest is in float32."""

    network: bool = False
    loss: bool = False


class BatchLoss(nn.Module):
    """The loss of a part of a batch.

    Args:
        network: what is trained.
        texts: (N, text_dimension) by row; decides the device.
        sampler: draws negatives; None: all items are compared with.
        halves: what is multiplied in bfloat16.
        soft_targets: what a share of the target goes to; not with a sampler.
        hides_had: what the user had before does not compete; not with a sampler.
    """

    def __init__(
        self,
        network: SequenceNetwork,
        texts: Tensor,
        sampler: NegativeSampler | None,
        halves: Halves,
        soft_targets: SoftTargets | None = None,
        *,
        hides_had: bool = False,
    ) -> None:
        super().__init__()
        self.network = network
        self._texts = texts
        self._sampler = sampler
        self._halves = halves
        self._soft_targets = soft_targets
        self._hides_had = hides_had
        self._rows = torch.arange(len(texts), device=texts.device)

    def forward(self, batch: TrainingBatch) -> Tensor:
        """The mean over the part's positions."""
        return self._full(batch) if self._sampler is None else self._sampled(batch, self._sampler)

    def _full(self, batch: TrainingBatch) -> Tensor:
        item_vectors = self.network.item_vectors(self._rows, self._texts)
        queries, targets = self._queries(batch, item_vectors)
        had = batch.had if self._hides_had else None
        loss = full_softmax_loss(queries, item_vectors, targets, half=self._halves.loss, had=had)
        if self._soft_targets is None:
            return loss
        newest = batch.sequences.positions[batch.real].to(targets.device)
        return loss + self._soft_targets.correction(queries, item_vectors, targets, newest)

    def _sampled(self, batch: TrainingBatch, sampler: NegativeSampler) -> Tensor:
        device = self._texts.device
        positions, drawn = batch.sequences.positions.to(device), sampler.draw()
        parts = (positions.flatten(), batch.targets.to(device), drawn)
        rows, numbers = torch.unique(torch.cat(parts), return_inverse=True)
        read, wanted, negatives = numbers.split([len(part) for part in parts])
        item_vectors = self.network.item_vectors(rows, self._texts[rows])
        numbered = replace(
            batch, sequences=replace(batch.sequences, positions=read.view(positions.shape)), targets=wanted
        )
        queries, targets = self._queries(numbered, item_vectors)
        return sampled_softmax_loss(
            queries,
            item_vectors[targets],
            item_vectors[negatives],
            sampler.log_expected(drawn),
            torch.cat([targets, negatives]),
        )

    def _queries(self, batch: TrainingBatch, item_vectors: Tensor) -> tuple[Tensor, Tensor]:
        """(T, D) users as of all real positions, divided by the temperature, and (T,) what came next."""
        device = item_vectors.device
        with torch.autocast(device.type, torch.bfloat16, enabled=self._halves.network):
            encoded = self.network.encode_positions(batch.sequences.to(device), item_vectors)
        states = encoded.float()[batch.real.to(device)]
        return states / self.network.temperature(), batch.targets.to(device)
