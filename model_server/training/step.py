"""One step of training: the gradient of a batch, in parts and by several processes, and the weights moved along it."""

from contextlib import nullcontext
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from model_server.model.network import SequenceNetwork
from model_server.training.batch_loss import BatchLoss, Halves, negatives_for
from model_server.training.chunks import TrainingBatch
from model_server.training.execution import Execution
from model_server.training.options import TrainingOptions
from model_server.training.parts import parts_of
from model_server.training.sampled import NegativeSampler
from model_server.training.soft_targets import SoftTargets
from model_server.training.team import Team

_BETAS: Final = (0.9, 0.98)
_FIRST_STEP: Final = 0.02  # share of the learning rate with which the warm-up begins


class Stepper:
    """Moves a network's weights.

    Args:
        network: what is trained.
        texts: (N, text_dimension) by row; decides the device.
        events: (E,) int64, the item of every training event.
        options: the settings.
        execution: how it is carried out.
        soft_targets: what a share of the target goes to, where all items are compared with.
    """

    def __init__(
        self,
        network: SequenceNetwork,
        texts: Tensor,
        events: Tensor,
        options: TrainingOptions,
        execution: Execution,
        soft_targets: SoftTargets | None = None,
    ) -> None:
        device, items = texts.device, len(texts)
        negatives = negatives_for(options, items)
        sampler = NegativeSampler(events.to(device), items, negatives) if negatives else None
        # A GPU moves a whole table faster than torch sorts out which rows were touched.
        network.item_ids.sparse = bool(negatives) and device.type == "cpu"
        halves = Halves(network=execution.half_network(device), loss=execution.half_loss(device, items))
        self._network = network
        self._options = options
        self._parts = execution.parts
        self._team = Team()
        self._loss: nn.Module = BatchLoss(network, texts, sampler, halves, soft_targets, hides_had=options.hides_had)
        self._optimizers = _optimizers(network, options.learning_rate)

    def join(self, team: Team) -> None:
        """From now on with the others of the team, whose gradients are averaged with these."""
        if team.size > 1:
            self._team = team
            self._loss = DistributedDataParallel(self._loss, find_unused_parameters=True)

    def step(self, batch: TrainingBatch, done: float) -> float:
        """Learn from a batch; everybody in the team from a share of it.

        Args:
            batch: the same in every process.
            done: how much of the training is, from 0 to 1; for the learning rate.

        Returns:
            The mean loss over its positions.
        """
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self._options.learning_rate * learning_rate_share(done, self._options.warm_up)
            optimizer.zero_grad()
        loss = self._gradient(batch)
        clip_gradients(self._network, self._options.clip_norm)
        for optimizer in self._optimizers:
            optimizer.step()
        return sum(self._team.gathered(loss))

    def optimizer_states(self) -> list[dict[str, Any]]:
        """For a checkpoint."""
        return [optimizer.state_dict() for optimizer in self._optimizers]

    def load_optimizer_states(self, states: list[dict[str, Any]]) -> None:
        """Go on with these."""
        for optimizer, state in zip(self._optimizers, states, strict=True):
            optimizer.load_state_dict(state)

    def _gradient(self, batch: TrainingBatch) -> float:
        """Add up the gradients of this process's parts; returns its share of the batch's mean loss."""
        team = self._team
        parts = parts_of(batch, self._parts * team.size)
        # A batch may have fewer sequences than there are processes; who has none repeats one, and it counts nothing.
        mine = parts[team.rank :: team.size] or parts[:1]
        counts = team.rank < len(parts)
        total = 0.0
        for number, part in enumerate(mine):
            share = counts * len(part.targets) / len(batch.targets)
            # The others are told once, of the sum.
            last = number == len(mine) - 1
            with (
                self._loss.no_sync() if isinstance(self._loss, DistributedDataParallel) and not last else nullcontext()
            ):
                loss = self._loss(part)
                (loss * (share * team.size)).backward()  # averaged over the team, that is `share`
            total += loss.item() * share
        return total


def _optimizers(network: SequenceNetwork, learning_rate: float) -> list[torch.optim.Optimizer]:
    """AdamW without weight decay; for a table with sparse gradients its sister, which moves touched rows only."""
    table = network.item_ids
    dense = [weight for weight in network.parameters() if weight is not table.weight or not table.sparse]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(dense, lr=learning_rate, betas=_BETAS, weight_decay=0.0, fused=True)
    ]
    if table.sparse:
        optimizers.append(torch.optim.SparseAdam([table.weight], lr=learning_rate, betas=_BETAS))
    return optimizers


def clip_gradients(network: nn.Module, longest: float) -> None:
    """Shorten the gradient to `longest`, as `torch.nn.utils.clip_grad_norm_` does, which knows no sparse gradients."""
    lengths = []
    gradients = [weight.grad for weight in network.parameters() if weight.grad is not None]
    for gradient in gradients:
        lengths.append(torch.linalg.vector_norm(gradient.coalesce().values() if gradient.is_sparse else gradient))
    share = (longest / (torch.linalg.vector_norm(torch.stack(lengths)) + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(share)


def learning_rate_share(done: float, warm_up: float) -> float:
    """The learning rate as a share of its highest: up over the warm-up, then down to zero; `done` from 0 to 1."""
    if done < warm_up:
        return max(_FIRST_STEP, done / warm_up)
    return (1 - done) / (1 - warm_up)
