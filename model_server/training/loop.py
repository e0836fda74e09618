"""The training loop: every position predicts the next item, early stopping, the best weights kept.

Recipe: AdamW (.9, .98) without weight decay, gradients clipped, the learning rate rising over the first steps and
falling to zero at the end. This module does not know files, item ids or text; how it is carried out (processes, parts,
precision, checkpoints) changes rounding only.
"""

import copy
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from torch import Tensor

from model_server.judging.metrics import RankingMetrics
from model_server.model.config import NetworkConfig
from model_server.model.members import Network
from model_server.model.network import SequenceNetwork
from model_server.training.batch_loss import negatives_for
from model_server.training.checkpoint import Place, Snapshot
from model_server.training.chunks import Histories, epoch_batches, histories_of
from model_server.training.execution import Execution, determinism
from model_server.training.generators import generator_states, set_generators
from model_server.training.options import TrainingOptions
from model_server.training.soft_targets import SoftTargets, neighbours_of
from model_server.training.start import cooccurrence_start
from model_server.training.step import Stepper
from model_server.training.validation import ValidationSplit, validate

_ITEMS_AT_ONCE: Final = 65_536  # whose vectors are made together for validation
_NOTHING_YET: Final = RankingMetrics(cases=0, hr10=0.0, ndcg10=-1.0, mrr10=0.0)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where training is.

    Args:
        epoch, epochs: of the network under way.
        done: from 0 to 1, over all epochs of all members.
        loss: of the newest step.
        validation: of the newest finished epoch of the network under way.
        member, members: which of how many networks that is, from 1.
    """

    epoch: int
    epochs: int
    done: float
    loss: float
    validation: RankingMetrics | None
    member: int = 1
    members: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class TrainedNetwork:
    """The network with its best weights, in evaluation mode, how those did on validation, and the seconds it took."""

    network: SequenceNetwork
    best_epoch: int
    epochs_run: int
    validation: RankingMetrics
    seconds: float


OnProgress = Callable[[Progress], None]


def train_network(
    config: NetworkConfig,
    split: ValidationSplit,
    texts: Tensor,
    options: TrainingOptions,
    on_progress: OnProgress,
    execution: Execution | None = None,
) -> TrainedNetwork:
    """Train on `split.training`, whose items are the rows of the ID table.

    The same arguments give the same weights on the same machine, also when a training was killed in between and its
    checkpoint taken up. The caller's random state is left alone.

    Args:
        config: shape of the network.
        split: training and validation.
        texts: (N, text_dimension) embeddings by row; decides the device.
        options: the settings.
        on_progress: called after every step.
        execution: how it is carried out; None: in this process, float32, no checkpoints.
    """
    carried_out = execution or Execution()
    devices = [texts.device] if texts.device.type == "cuda" else []
    with torch.random.fork_rng(devices), determinism(wanted=carried_out.deterministic):
        torch.manual_seed(options.seed)
        return _Training(config, split, texts, options, on_progress, carried_out).run()


class _Training:
    """The state of one run."""

    def __init__(
        self,
        config: NetworkConfig,
        split: ValidationSplit,
        texts: Tensor,
        options: TrainingOptions,
        on_progress: OnProgress,
        execution: Execution,
    ) -> None:
        self._split = split
        self._texts = texts
        self._options = options
        self._on_progress = on_progress
        self._team = execution.team
        self._checkpoints = execution.checkpoints
        self._histories = histories_of(split.training)
        self._transitions = int(np.maximum(self._histories.lengths - 1, 0).sum())
        self._network = SequenceNetwork(config).to(texts.device)
        events = torch.from_numpy(self._histories.items)
        soft_targets = _soft_targets(self._histories, options, texts)
        self._stepper = Stepper(self._network, texts, events, options, execution, soft_targets)
        # Where it is; a checkpoint puts it elsewhere.
        self._rng = np.random.default_rng(options.seed)
        self._order = self._rng.bit_generator.state
        self._epoch, self._steps, self._best_epoch = 1, 0, 0
        self._best_metrics = _NOTHING_YET
        self._validation: RankingMetrics | None = None
        self._best: dict[str, Tensor] = {}
        self._began_s = time.perf_counter()

    def run(self) -> TrainedNetwork:
        """Every epoch that is left, and the best weights at the end."""
        if not self._resume():
            if self._options.cooccurrence_start:
                _start_items(self._network, self._histories)
            self._best = copy.deepcopy(self._network.state_dict())
            # The same weights everywhere, but noise of its own for everybody.
            if self._team.size > 1:
                torch.manual_seed(self._options.seed + self._team.rank)
        self._stepper.join(self._team)
        while self._epoch <= self._options.epochs and not self._stands_still():
            self._run_epoch()
            self._judge()
            self._epoch, self._steps, self._order = self._epoch + 1, 0, self._rng.bit_generator.state
            self._save()
        self._network.load_state_dict(self._best)
        return TrainedNetwork(
            network=self._network.eval(),
            best_epoch=self._best_epoch,
            epochs_run=self._epoch - 1,
            validation=self._best_metrics,
            seconds=time.perf_counter() - self._began_s,
        )

    def _stands_still(self) -> bool:
        return self._best_epoch > 0 and self._epoch - 1 - self._best_epoch >= self._options.patience

    def _run_epoch(self) -> None:
        self._network.train()
        options, finished = self._options, 0
        batches = epoch_batches(self._histories, options.max_length, options.batch_sequences, self._rng)
        for number, batch in enumerate(batches):
            done = (self._epoch - 1 + finished / self._transitions) / options.epochs
            finished += len(batch.targets)
            if number < self._steps:
                continue  # done before the checkpoint
            loss = self._stepper.step(batch, done)
            self._steps = number + 1
            done = (self._epoch - 1 + finished / self._transitions) / options.epochs
            self._on_progress(Progress(self._epoch, options.epochs, done, loss, self._validation))
            if self._checkpoints is not None and self._team.agreed(self._checkpoints.is_due()):
                self._save()

    def _judge(self) -> None:
        """Without validation users there is nothing to choose by: the last weights count."""
        self._validation = self._team.agreed(self._validate() if self._team.leads else _NOTHING_YET)
        best = self._best_metrics.ndcg10
        # Nothing to choose by: nobody is asked, or everybody came back for what they had, which is hidden.
        if self._validation.cases == 0 or self._validation.ndcg10 == 0 >= best or self._validation.ndcg10 > best:
            self._best = copy.deepcopy(self._network.state_dict())
            self._best_epoch, self._best_metrics = self._epoch, self._validation

    def _validate(self) -> RankingMetrics:
        self._network.eval()
        return validate(self._network, self._split, all_item_vectors(self._network, self._texts))

    def _save(self) -> None:
        if self._checkpoints is None:
            return
        generators = self._team.gathered(generator_states(self._texts.device))
        if self._team.leads:
            place = Place(
                epoch=self._epoch,
                steps=self._steps,
                best_epoch=self._best_epoch,
                best=self._best_metrics,
                validation=self._validation,
                order=json.dumps(self._order),
                seconds=time.perf_counter() - self._began_s,
            )
            optimizers = self._stepper.optimizer_states()
            self._checkpoints.save(Snapshot(place, self._network.state_dict(), self._best, optimizers, generators))

    def _resume(self) -> bool:
        """Go on where the checkpoint is; False where there is none."""
        snapshot = None if self._checkpoints is None else self._checkpoints.load(self._texts.device)
        if snapshot is None or not _fits(snapshot, self._network):
            return False
        place = snapshot.place
        self._network.load_state_dict(snapshot.network)
        self._stepper.load_optimizer_states(snapshot.optimizers)
        self._best = dict(snapshot.best)
        self._order = json.loads(place.order)
        self._rng.bit_generator.state = self._order
        self._epoch, self._steps, self._best_epoch = place.epoch, place.steps, place.best_epoch
        self._best_metrics, self._validation = place.best, place.validation
        self._began_s = time.perf_counter() - place.seconds
        set_generators(snapshot.generators[self._team.rank], self._texts.device)
        return True


def _fits(snapshot: Snapshot, network: SequenceNetwork) -> bool:
    """Whether it is of a network of this shape; another version of riverrun may have had another."""
    wanted = {name: weight.shape for name, weight in network.state_dict().items()}
    return {name: weight.shape for name, weight in snapshot.network.items()} == wanted


def _soft_targets(histories: Histories, options: TrainingOptions, texts: Tensor) -> SoftTargets | None:
    """Made on the device of the texts; none where a step is not compared with all items."""
    if not options.neighbour_share or negatives_for(options, len(texts)):
        return None
    return SoftTargets(neighbours_of(histories, len(texts)).to(texts.device), options.neighbour_share)


def _start_items(network: SequenceNetwork, histories: Histories) -> None:
    """Items that were done close together start close together."""
    touched, numbers = np.unique(histories.items, return_inverse=True)
    start = cooccurrence_start(replace(histories, items=numbers), len(touched), network.config.dimension)
    with torch.no_grad():
        network.item_ids.weight[torch.from_numpy(touched)] = start.to(network.item_ids.weight.device)


@torch.inference_mode()
def all_item_vectors(network: Network, texts: Tensor) -> Tensor:
    """(N, D), made a block at a time: what is between text and vector is several times as large."""
    rows = torch.arange(len(texts), device=texts.device)
    vectors = torch.empty(len(texts), network.config.vector_width, device=texts.device)
    for start in range(0, len(texts), _ITEMS_AT_ONCE):
        block = slice(start, start + _ITEMS_AT_ONCE)
        vectors[block] = network.item_vectors(rows[block], texts[block])
    return vectors
