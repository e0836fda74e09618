"""The training loop: full softmax over every position, early stopping, the best weights kept.

Recipe: AdamW (.9, .98) without weight decay, gradients clipped, the learning rate rising over the first steps and
falling to zero at the end. This module does not know files, item ids or text.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from model_server.evaluation.metrics import RankingMetrics
from model_server.model.config import NetworkConfig
from model_server.model.network import SequenceNetwork
from model_server.training.chunks import Histories, TrainingBatch, epoch_batches, histories_of
from model_server.training.loss import full_softmax_loss
from model_server.training.options import TrainingOptions
from model_server.training.start import cooccurrence_start, is_sparse
from model_server.training.validation import ValidationSplit, validate

_BETAS: Final = (0.9, 0.98)
_FIRST_STEP: Final = 0.02  # share of the learning rate with which the warm-up begins


@dataclass(frozen=True, slots=True)
class Progress:
    """Where training is. `done` goes from 0 to 1 over all epochs; the metrics are of the newest finished epoch."""

    epoch: int
    epochs: int
    done: float
    loss: float
    validation: RankingMetrics | None


@dataclass(frozen=True, slots=True, eq=False)
class TrainedNetwork:
    """The network with its best weights, in evaluation mode, and how those did on validation."""

    network: SequenceNetwork
    best_epoch: int
    epochs_run: int
    validation: RankingMetrics


OnProgress = Callable[[Progress], None]


def train_network(
    config: NetworkConfig, split: ValidationSplit, texts: Tensor, options: TrainingOptions, on_progress: OnProgress
) -> TrainedNetwork:
    """Train on `split.training`, whose items are the rows of the ID table.

    The same arguments give the same weights on the same machine. The caller's random state is left alone.

    Args:
        config: shape of the network.
        split: training and validation.
        texts: (N, text_dimension) embeddings by row; decides the device.
        options: the settings.
        on_progress: called after every step.
    """
    devices = [texts.device] if texts.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(options.seed)
        return _Training(config, split, texts, options, on_progress).run()


class _Training:
    """The state of one run."""

    def __init__(
        self,
        config: NetworkConfig,
        split: ValidationSplit,
        texts: Tensor,
        options: TrainingOptions,
        on_progress: OnProgress,
    ) -> None:
        self._split = split
        self._texts = texts
        self._options = options
        self._on_progress = on_progress
        self._rng = np.random.default_rng(options.seed)
        self._rows = torch.arange(config.items, device=texts.device)
        self._network = SequenceNetwork(config).to(texts.device)
        self._optimizer = torch.optim.AdamW(
            self._network.parameters(), lr=options.learning_rate, betas=_BETAS, weight_decay=0.0, fused=True
        )
        self._validation: RankingMetrics | None = None

    def run(self) -> TrainedNetwork:
        histories = histories_of(self._split.training)
        if is_sparse(histories, len(self._rows)):
            start = cooccurrence_start(histories, len(self._rows), self._network.config.dimension)
            self._network.item_ids.weight.data.copy_(start)
        best = copy.deepcopy(self._network.state_dict())
        best_epoch, epoch, best_metrics = 0, 0, RankingMetrics(cases=0, hr10=0.0, ndcg10=-1.0, mrr10=0.0)
        for epoch in range(1, self._options.epochs + 1):
            self._epoch(epoch, histories)
            self._validation = self._validate()
            # Without validation users there is nothing to choose by: the last weights count.
            if self._validation.cases == 0 or self._validation.ndcg10 > best_metrics.ndcg10:
                best, best_epoch, best_metrics = copy.deepcopy(self._network.state_dict()), epoch, self._validation
            elif epoch - best_epoch >= self._options.patience:
                break
        self._network.load_state_dict(best)
        return TrainedNetwork(
            network=self._network.eval(), best_epoch=best_epoch, epochs_run=epoch, validation=best_metrics
        )

    def _epoch(self, epoch: int, histories: Histories) -> None:
        self._network.train()
        transitions = int(np.maximum(histories.lengths - 1, 0).sum())
        finished = 0
        for batch in epoch_batches(histories, self._options.max_length, self._options.batch_sequences, self._rng):
            loss = self._step(batch, done=(epoch - 1 + finished / transitions) / self._options.epochs)
            finished += len(batch.targets)
            done = (epoch - 1 + finished / transitions) / self._options.epochs
            self._on_progress(Progress(epoch, self._options.epochs, done, loss, self._validation))

    def _step(self, batch: TrainingBatch, done: float) -> float:
        for group in self._optimizer.param_groups:
            group["lr"] = self._options.learning_rate * learning_rate_share(done, self._options.warm_up)
        network, device = self._network, self._texts.device
        item_vectors = network.item_vectors(self._rows, self._texts)
        states = network.encode_positions(batch.sequences.to(device), item_vectors)[batch.real.to(device)]
        loss = full_softmax_loss(states / network.temperature(), item_vectors, batch.targets.to(device))
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch ships it without types
        torch.nn.utils.clip_grad_norm_(network.parameters(), self._options.clip_norm)
        self._optimizer.step()
        return loss.item()

    def _validate(self) -> RankingMetrics:
        self._network.eval()
        with torch.inference_mode():
            item_vectors = self._network.item_vectors(self._rows, self._texts)
        return validate(self._network, self._split, item_vectors)


def learning_rate_share(done: float, warm_up: float) -> float:
    """The learning rate as a share of its highest: up over the warm-up, then down to zero; `done` from 0 to 1."""
    if done < warm_up:
        return max(_FIRST_STEP, done / warm_up)
    return (1 - done) / (1 - warm_up)
