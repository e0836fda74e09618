"""Grow a `RankingNetwork`: a softmax over each list, whose probability is to lie on what was taken.

ListNet's cross entropy with one (Cao et al. 2007, "Learning to rank: from pairwise approach to listwise approach").
Of the wrong candidates only a share is there, so each of them stands for several.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model_server.ranking.examples import Examples
from model_server.ranking.network import RankingNetwork, Scaling, Shape

_SAMPLE = 50_000  # rows that say how columns are scaled


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """How it is trained.

    Args:
        shape: of the network.
        epochs: times that every question is seen.
        questions: a step.
        rate: the highest learning rate, of one cycle (Smith and Topin 2018).
        decay: of the weights (AdamW).
    """

    shape: Shape = field(default_factory=Shape)
    epochs: int = 4
    questions: int = 32
    rate: float = 2e-3
    decay: float = 1e-4


def train_network(examples: Examples, share: float, options: NetworkOptions, seed: int) -> RankingNetwork:
    """From questions of whose wrong candidates this share was kept. Repeatable."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(examples.taken))[:_SAMPLE]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = RankingNetwork(Scaling.of(examples.features[rows]), options.shape)
        _train(network, examples, -math.log(share), options, rng)
    return network.eval()


def _train(
    network: RankingNetwork, examples: Examples, stands_for: float, options: NetworkOptions, rng: np.random.Generator
) -> None:
    optimizer = torch.optim.AdamW(network.parameters(), options.rate, weight_decay=options.decay)
    steps = options.epochs * math.ceil(len(examples.sizes) / options.questions)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.rate, total_steps=max(steps, 2))
    for _ in range(options.epochs):
        for rows, owners, count in _batches(examples.sizes, options.questions, rng):
            taken = torch.from_numpy(examples.taken[rows]).float()
            logits = network(network.scaling.inputs(examples.features[rows]))
            loss = list_loss(logits + stands_for * (1 - taken), taken, owners, count)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimizer.step()
            schedule.step()


def list_loss(logits: Tensor, taken: Tensor, owners: Tensor, lists: int) -> Tensor:
    """The mean, over members and lists, of the mean cross entropy of what was taken.

    Args:
        logits: (M, C).
        taken: (C,) ones and zeros.
        owners: (C,) int64, the list of each, numbered from 0.
        lists: how many.
    """
    owners = owners.expand(logits.shape)
    highest = torch.full((len(logits), lists), -torch.inf).scatter_reduce(1, owners, logits.detach(), "amax")
    sums = torch.zeros_like(highest).scatter_add(1, owners, (logits - highest.gather(1, owners)).exp())
    surprise = (sums.log() + highest).gather(1, owners) - logits
    wanted = torch.zeros(lists).index_add(0, owners[0], taken).clamp(min=1)
    loss: Tensor = (surprise * (taken / wanted[owners[0]])).sum() / (lists * len(logits))
    return loss


def _batches(
    sizes: NDArray[np.int64], questions: int, rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.int64], Tensor, int]]:
    """Rows of some questions, and to which of these each belongs."""
    starts = np.cumsum(sizes) - sizes
    order = rng.permutation(len(sizes))
    for first in range(0, len(order), questions):
        chosen = order[first : first + questions]
        owners = np.repeat(np.arange(len(chosen)), sizes[chosen])
        places = np.arange(len(owners)) - np.repeat(np.cumsum(sizes[chosen]) - sizes[chosen], sizes[chosen])
        yield np.repeat(starts[chosen], sizes[chosen]) + places, torch.from_numpy(owners), len(chosen)
