"""The fine-tuning loop: rounds of steps, each validated and followed by a checkpoint; the best weights are kept."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model_server.finetuning.layers import LowerStates, UpperLayers
from model_server.finetuning.loss import contrastive_loss
from model_server.finetuning.material import Material
from model_server.finetuning.options import FinetuningOptions
from model_server.finetuning.validation import combined
from model_server.judging.metrics import RankingMetrics
from model_server.training.checkpoint import Checkpoints, Place, Snapshot
from model_server.training.generators import generator_states, set_generators

_WARM_UP: Final = 0.1
_CLIP: Final = 1.0
_WEIGHT_DECAY: Final = 0.01


@dataclass(frozen=True, slots=True)
class Progress:
    """Steps done of all, the newest loss, and how the newest round did against none."""

    done: int
    total: int
    loss: float
    reached: RankingMetrics
    pretrained: RankingMetrics


@dataclass(frozen=True, slots=True, eq=False)
class Finetuned:
    """The best weights; the pretrained ones where no round was better.

    Args:
        weights: of the layers that learned, by their names in the whole encoder.
        best_round: from 1; 0: none was better than the pretrained encoder.
        rounds: that were run.
        pretrained, vectors: (M + Q, 384) of all texts, before and with the best weights.
        seconds: all of it took.
    """

    weights: dict[str, Tensor]
    best_round: int
    rounds: int
    pretrained: NDArray[np.float32]
    vectors: NDArray[np.float32]
    seconds: float


OnProgress = Callable[[Progress], None]


def finetune(
    folder: Path,
    material: Material,
    lower: LowerStates,
    options: FinetuningOptions,
    on_progress: OnProgress,
    checkpoints: Checkpoints | None = None,
) -> Finetuned:
    """Teach the last layers.

    The same arguments give the same weights on the same machine, also after a kill. The caller's random state is left
    alone.

    Args:
        folder: of the pretrained encoder.
        material: what to learn and validate on.
        lower: of `material.texts`; decides the device.
        options: the settings.
        on_progress: called after every step.
        checkpoints: where it goes on; None: it cannot.
    """
    device = lower.states.device
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(options.seed)
        return _Finetuning(folder, material, lower, options, on_progress, checkpoints).run()


class _Finetuning:
    """The state of one run."""

    def __init__(
        self,
        folder: Path,
        material: Material,
        lower: LowerStates,
        options: FinetuningOptions,
        on_progress: OnProgress,
        checkpoints: Checkpoints | None,
    ) -> None:
        self._material = material
        self._lower = lower
        self._options = options
        self._on_progress = on_progress
        self._checkpoints = checkpoints
        self._upper = UpperLayers(folder, options.layers).to(lower.states.device)
        self._optimizer = torch.optim.AdamW(_groups(self._upper, options), weight_decay=_WEIGHT_DECAY)
        self._highest = [group["lr"] for group in self._optimizer.param_groups]
        self._rng = np.random.default_rng(options.seed)
        self._began_s = time.perf_counter()
        self._before = self._encode()
        self._vectors = self._before
        self._pretrained = self._judge()
        self._round, self._best_round = 0, 0
        self._best_metrics = self._newest = self._pretrained
        self._best = self._upper.weights()

    def run(self) -> Finetuned:
        """Every round that is left."""
        self._resume()
        rounds = -(-self._options.steps // self._options.round_steps)
        while self._round < rounds and self._round - self._best_round < self._options.patience:
            self._run_round()
            self._round += 1
            self._vectors = self._encode()
            self._newest = self._judge()
            if self._newest.ndcg10 > self._best_metrics.ndcg10:
                self._best, self._best_round, self._best_metrics = self._upper.weights(), self._round, self._newest
            self._save()
        self._upper.load_weights(self._best)
        return Finetuned(
            weights=self._best,
            best_round=self._best_round,
            rounds=self._round,
            pretrained=self._before,
            vectors=self._encode(),
            seconds=time.perf_counter() - self._began_s,
        )

    def _run_round(self) -> None:
        nearest = self._material.batches.nearest(self._vectors[: self._material.items])
        self._upper.train()
        first = self._round * self._options.round_steps
        for step in range(first, min(first + self._options.round_steps, self._options.steps)):
            loss = self._step(step, nearest)
            self._on_progress(Progress(step + 1, self._options.steps, loss, self._newest, self._pretrained))
        self._upper.train(mode=False)

    def _step(self, step: int, nearest: NDArray[np.int64]) -> float:
        options, batch = self._options, self._material.batches.draw(nearest, self._rng)
        for group, highest in zip(self._optimizer.param_groups, self._highest, strict=True):
            group["lr"] = highest * _rate(step / options.steps)
        rows, places = np.unique(np.concatenate([batch.left, batch.right]), return_inverse=True)
        vectors = self._upper(*self._lower.padded(rows))
        each = vectors[torch.from_numpy(places)]
        pairs = len(batch.left)
        also_right = torch.from_numpy(batch.also_right).to(vectors.device)
        loss = contrastive_loss(each[:pairs], each[pairs:], also_right, options.temperature)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        nn.utils.clip_grad_norm_(self._upper.parameters(), _CLIP)
        self._optimizer.step()
        return float(loss.detach())

    def _encode(self) -> NDArray[np.float32]:
        vectors: NDArray[np.float32] = self._upper.encode(self._lower, np.arange(len(self._lower))).cpu().numpy()
        return vectors

    def _judge(self) -> RankingMetrics:
        """On the cases that choose."""
        queries, cold = self._material.queries, self._material.cold
        chosen_queries = queries.take(np.arange(0, len(queries), 2))
        chosen_cold = cold.take(np.flatnonzero(cold.users % 2 == 0))
        return combined(chosen_queries.measure(self._vectors, self._material.items), chosen_cold.measure(self._vectors))

    def _save(self) -> None:
        if self._checkpoints is None:
            return
        place = Place(
            epoch=self._round,
            steps=0,
            best_epoch=self._best_round,
            best=self._best_metrics,
            validation=self._newest,
            order=json.dumps(self._rng.bit_generator.state),
            seconds=time.perf_counter() - self._began_s,
        )
        states = [generator_states(self._lower.states.device)]
        optimizers = [self._optimizer.state_dict()]
        self._checkpoints.save(Snapshot(place, self._upper.weights(), self._best, optimizers, states))

    def _resume(self) -> None:
        """Go on where the checkpoint is, if there is one."""
        device = self._lower.states.device
        snapshot = None if self._checkpoints is None else self._checkpoints.load(device)
        if snapshot is None:
            return
        place = snapshot.place
        self._upper.load_weights(snapshot.network)
        self._optimizer.load_state_dict(snapshot.optimizers[0])
        self._best = dict(snapshot.best)
        self._rng.bit_generator.state = json.loads(place.order)
        self._round, self._best_round, self._best_metrics = place.epoch, place.best_epoch, place.best
        self._newest = place.validation or self._pretrained
        self._began_s = time.perf_counter() - place.seconds
        self._vectors = self._encode()
        set_generators(snapshot.generators[0], device)


def _groups(upper: UpperLayers, options: FinetuningOptions) -> list[dict[str, object]]:
    """The last layer learns fastest; biases and norms do not decay."""
    groups: list[dict[str, object]] = []
    for depth, layer in enumerate(reversed(upper.layer)):
        rate = options.learning_rate * options.layer_decay**depth
        matrices = [weight for weight in layer.parameters() if weight.dim() > 1]
        others = [weight for weight in layer.parameters() if weight.dim() == 1]
        groups += [{"params": matrices, "lr": rate}, {"params": others, "lr": rate, "weight_decay": 0.0}]
    return groups


def _rate(done: float) -> float:
    """Of the highest learning rate, `done` from 0 to 1."""
    return min((done + 1e-3) / _WARM_UP, (1 - done) / (1 - _WARM_UP))
