"""What happens inside a shop: it trains the weights that it was sent on its own people, and says how good they are.

It knows nothing of other shops, and nothing of how weights travel.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from model_server.judging.metrics import RankingMetrics
from model_server.model.config import NetworkConfig
from model_server.model.network import SequenceNetwork
from model_server.training.chunks import epoch_batches, histories_of
from model_server.training.execution import Execution
from model_server.training.loop import all_item_vectors
from model_server.training.options import TrainingOptions
from model_server.training.step import Stepper
from model_server.training.validation import ValidationSplit, validate

Weights = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole training: from `done` to `until` (0 to 1; for the learning rate), in so many passes."""

    done: float
    until: float
    passes: int


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """New weights, and of how many transitions they are."""

    weights: Weights
    transitions: int


class LocalTraining:
    """One shop's.

    Args:
        config: the shape that all shops share.
        texts: (N, text_dimension) of the catalogue that all shops share.
        split: the shop's own people; items are rows.
        options: the recipe.
        seed: of this shop.
    """

    def __init__(
        self, config: NetworkConfig, texts: Tensor, split: ValidationSplit, options: TrainingOptions, seed: int
    ) -> None:
        self._network = SequenceNetwork(config).to(texts.device)
        self._texts = texts
        self._split = split
        self._options = options
        self._histories = histories_of(split.training)
        self._transitions = int(np.maximum(self._histories.lengths - 1, 0).sum())
        self._rng = np.random.default_rng(seed)

    def train(self, weights: Weights, share: Share, on_pass: Callable[[], object]) -> Learned:
        """Go on from these weights; the optimizer begins anew each time, as in federated averaging."""
        self._network.load_state_dict(dict(weights))
        self._network.train()
        events = torch.from_numpy(self._histories.items)
        stepper = Stepper(self._network, self._texts, events, self._options, Execution())
        finished, all_of_it = 0, max(1, self._transitions * share.passes)
        for _ in range(share.passes):
            options = self._options
            for batch in epoch_batches(self._histories, options.max_length, options.batch_sequences, self._rng):
                stepper.step(batch, share.done + (share.until - share.done) * finished / all_of_it)
                finished += len(batch.targets)
            on_pass()
        learned = {name: weight.detach().cpu().clone() for name, weight in self._network.state_dict().items()}
        return Learned(learned, self._transitions)

    def validate(self, weights: Weights) -> RankingMetrics:
        """On the last events of the shop's own people."""
        self._network.load_state_dict(dict(weights))
        self._network.eval()
        return validate(self._network, self._split, all_item_vectors(self._network, self._texts))
