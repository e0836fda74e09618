"""DP-SGD over people (Abadi et al., arXiv:1607.00133; of users: McMahan et al., arXiv:1710.06963).

A step draws every person with the same probability (Poisson sampling, as the accounting assumes), takes one gradient of
each, shortens it to `clip_norm`, adds them up and adds Gaussian noise; opacus's optimizer does the last three. There is
no validation, no early stopping and no best epoch: each would be another look at people. The last weights count.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from model_server.model.network import SequenceNetwork
from model_server.privacy.budget import Mechanism, opacus
from model_server.privacy.gradients import PeoplesGradients, PersonLoss
from model_server.privacy.unrolled import unrolled
from model_server.privacy.windows import able, windows_of
from model_server.training.chunks import Histories
from model_server.training.options import TrainingOptions
from model_server.training.step import learning_rate_share

_TWISTER_WORDS: Final = 624
_TWISTER_AT: Final = 24  # bytes of torch's state before them: seed, what is left, seeded, next


@dataclass(frozen=True, slots=True, eq=False)
class Chance:
    """Who is drawn and what is added. Never of a seed that anybody knows: who knows the noise can take it off.

    Args:
        drawing: who is in a step, and which window of theirs.
        votes: noise of the popularity, which is published digit by digit: it must not tell of the drawing.
        noise: of the gradients.
    """

    drawing: np.random.Generator
    votes: np.random.Generator
    noise: torch.Generator


def unknown_chance(device: torch.device) -> Chance:
    """From the operating system's entropy."""
    drawing, votes = (np.random.default_rng(secrets.randbits(128)) for _ in range(2))
    return Chance(drawing, votes, _unknown_noise(device))


def _unknown_noise(device: torch.device) -> torch.Generator:
    generator = torch.Generator(device)
    if device.type != "cpu":
        return generator.manual_seed(secrets.randbits(63))
    # On a CPU manual_seed keeps 32 bits, which can be tried one after the other against weights that nobody's data
    # touched. So all words of the Mersenne twister's state are filled.
    state = generator.manual_seed(0).get_state()
    words = np.frombuffer(secrets.token_bytes(4 * _TWISTER_WORDS), np.uint32).astype(np.uint64)
    state[_TWISTER_AT : _TWISTER_AT + 8 * _TWISTER_WORDS] = torch.from_numpy(words.view(np.uint8))
    return generator.set_state(state)


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What is learned from: (N, text_dimension) `texts` by row, which decide the device, and what people did."""

    texts: Tensor
    histories: Histories


OnStep = Callable[[int, float], object]
"""Told how many steps are done, and the mean loss of those who were drawn."""


def descend(
    network: SequenceNetwork,
    material: Material,
    options: TrainingOptions,
    mechanism: Mechanism,
    chance: Chance,
    on_step: OnStep,
) -> None:
    """Train the network.

    Args:
        network: in evaluation mode; what learns are the weights that require a gradient.
        material: items by row.
        options: learning rate, warm-up, clip norm, length of windows.
        mechanism: noise, sample rate, steps.
        chance: of drawing and noise.
        on_step: called after every step.
    """
    people, learner = able(material.histories), unrolled(network)
    gradients = PeoplesGradients(PersonLoss(learner, material.texts))
    at_once = gradients.people_at_once(options.max_length, len(material.texts))
    learning = [weight for weight in learner.parameters() if weight.requires_grad]
    optimizer = opacus("optimizers").DPOptimizer(
        torch.optim.Adam(learning, lr=options.learning_rate, betas=(0.9, 0.98)),
        noise_multiplier=mechanism.noise,
        max_grad_norm=options.clip_norm,
        expected_batch_size=max(1.0, len(people) * mechanism.sample_rate),
        generator=chance.noise,
        secure_mode=mechanism.noise > 0,  # sums of draws, against attacks through the rounding (arXiv:2107.10138)
    )
    for step in range(mechanism.steps):
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * learning_rate_share(step / mechanism.steps, options.warm_up)
        drawn = people[chance.drawing.random(len(people)) < mechanism.sample_rate]
        parts = windows_of(material.histories, drawn, options.max_length, chance.drawing).parts(at_once)
        total = 0.0
        for number, part in enumerate(parts):
            total += gradients.leave(part)
            optimizer.signal_skip_step(do_skip=number < len(parts) - 1)
            optimizer.step()
            optimizer.zero_grad()
        on_step(step + 1, total / max(1, len(drawn)))
    network.load_state_dict(learner.state_dict())
