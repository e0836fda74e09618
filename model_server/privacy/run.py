"""From a data set to a private version: a network and a popularity that say next to nothing about any single person.

What the guarantee covers, and what is taken as known to everybody, is written in docs/training.md and on the version's
card (model_server.registry.private). A private version has no counts of its own, no weights of a blend, no ranker and
no validation figures: each would be another look at people. Until it is finished nothing is written to disk, no
checkpoint either.
"""

import math
import time
from math import ceil
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from app.data.popularity import Popularity
from app.errors import DataError, SettingsError
from model_server.hybrid.parts import network_alone
from model_server.model.config import NetworkConfig
from model_server.model.network import SequenceNetwork
from model_server.peak_memory import PeakMemory
from model_server.privacy.budget import Budget, budget_for, delta_for
from model_server.privacy.descent import Chance, Material, descend, unknown_chance
from model_server.privacy.popularity import log_popularity, noisy_votes
from model_server.privacy.start import start_privately
from model_server.privacy.windows import able
from model_server.registry.version import TrainedModel
from model_server.text.encoder import OnProgress as OnTexts
from model_server.text.encoder import TextEncoder
from model_server.training.chunks import histories_of
from model_server.training.loop import OnProgress, Progress
from model_server.training.options import TrainingOptions
from model_server.training.run import TrainingJob, described, item_texts, network_config, train_model

_MS_PER_DAY: Final = 86_400_000
_MOST_ITEMS: Final = 100_000
"""Everybody's loss compares all items: drawing negatives by how often they occur would look at the others."""


def train_as_wanted(
    job: TrainingJob,
    encoder: TextEncoder,
    options: TrainingOptions,
    device: torch.device,
    on_progress: OnProgress,
    on_texts: OnTexts | None = None,
) -> TrainedModel:
    """With differential privacy where the options have an epsilon, else as `train_model`."""
    if options.epsilon is None:
        return train_model(job, encoder, options, device, on_progress, on_texts)
    _check(job, options)
    texts = item_texts(job.dataset.catalog, np.arange(len(job.dataset.catalog)), encoder, on_texts)
    on_device = torch.from_numpy(texts).to(device)
    return PrivateTraining(job, options, on_device, encoder.fingerprint).run(unknown_chance(device), on_progress)


class PrivateTraining:
    """One private training.

    Args:
        job: what to train on.
        options: with an epsilon.
        texts: (N, text_dimension) of the whole catalogue: which items were touched is nobody's business.
        text_encoder: fingerprint of what made them.

    Raises:
        DataError: there is too little to learn from.
    """

    def __init__(self, job: TrainingJob, options: TrainingOptions, texts: torch.Tensor, text_encoder: str) -> None:
        self._job = job
        self._options = options
        self._texts = texts
        self._text_encoder = text_encoder
        self._material = Material(texts, histories_of(job.interactions))
        self._people = len(able(self._material.histories))
        if not self._people:
            raise DataError("There is too little to learn from: nobody did two things.", hint="Give more events.")

    def budget(self) -> Budget:
        """The noise that the wanted epsilon takes.

        Raises:
            DataError: no noise is enough.
            SettingsError: opacus is not installed.
        """
        options = self._options
        sample_rate = min(1.0, options.batch_sequences / self._people)
        delta = delta_for(self._people) if options.delta is None else options.delta
        return budget_for(options.epsilon or 0.0, delta, sample_rate, ceil(options.epochs / sample_rate))

    def run(self, chance: Chance, on_progress: OnProgress) -> TrainedModel:
        """Train; `chance` must be of entropy that nobody knows, whatever the seed of the options."""
        began_s, peak = time.perf_counter(), PeakMemory(self._texts.device)
        budget, items = self.budget(), len(self._texts)
        votes = noisy_votes(self._job.interactions, items, budget.popularity.noise, chance.votes)
        network = self._network(log_popularity(votes, budget.popularity.noise))
        epochs, steps = self._options.epochs, budget.gradients.steps

        def told(step: int, _loss: float) -> None:  # of those who were drawn, without noise: not for a log
            on_progress(Progress(ceil(step * epochs / steps), epochs, step / steps, math.nan, None))

        descend(network, self._material, self._options, budget.gradients, chance, told)
        spent = {"seconds": round(time.perf_counter() - began_s, 1), "peak_memory_mb": peak.mb()}
        return TrainedModel(
            network=network.requires_grad_(),
            text_encoder=self._text_encoder,
            item_ids=tuple(item.item_id for item in self._job.dataset.catalog),
            texts=self._texts.cpu().numpy(),
            popularity=self._popularity(votes),
            hybrid=network_alone(items),
            data=described(self._job, self._options),
            metrics=_metrics(budget, self._people) | {"epochs": float(epochs)} | spent,
        )

    def _network(self, popularity: NDArray[np.float32]) -> SequenceNetwork:
        width = self._texts.shape[1] if self._texts.any() else 0
        config: NetworkConfig = network_config(self._options, self._job.interactions, len(self._texts), width)
        with torch.random.fork_rng([]):
            torch.manual_seed(self._options.seed)
            network = SequenceNetwork(config).to(self._texts.device).eval()
            start_privately(network, self._texts, popularity)
        return network

    def _popularity(self, votes: NDArray[np.float64]) -> Popularity:
        """Of every item: what is left out would say who was touched."""
        weights = {
            item.item_id: max(float(vote), 0.0) for item, vote in zip(self._job.dataset.catalog, votes, strict=True)
        }
        newest_ms = int(self._job.interactions.ts_ms[-1]) // _MS_PER_DAY * _MS_PER_DAY
        return Popularity(newest_ms, self._job.popularity_half_life_days, weights)


def _check(job: TrainingJob, options: TrainingOptions) -> None:
    items, wanted = len(job.dataset.catalog), "--private trains one network in one process"
    if options.members > 1 or job.execution.team.size > 1:
        raise SettingsError(f"{wanted}.", hint="Leave out --members and torchrun.")
    if items > _MOST_ITEMS:
        raise DataError(f"{wanted} on up to {_MOST_ITEMS:,} items; here are {items:,}.", hint="Offer fewer.")
    if not 0 < (options.epsilon or 0) < math.inf:
        raise SettingsError(f"An epsilon of {options.epsilon} cannot be kept.", hint="Say for example --private 8.")
    if not (options.delta is None or 0 < options.delta < 1) or options.batch_sequences < 1:
        raise SettingsError("A delta is between 0 and 1, and steps are of somebody.", hint="See --options.")


def _metrics(budget: Budget, people: int) -> dict[str, float]:
    gradients = budget.gradients
    return {
        "private_epsilon": budget.epsilon,
        "private_delta": budget.delta,
        "private_people": float(people),
        "private_noise": gradients.noise,
        "private_popularity_noise": budget.popularity.noise,
        "private_sample_rate": gradients.sample_rate,
        "private_steps": float(gradients.steps),
    }
