"""Where private training starts: from all that can be known without spending anything.

Fewer weights that learn are less noise, and a good start is worth more than noisy steps. So the texts are projected to
their own principal directions, for good; one direction is kept for popularity, whose noise is paid for; and the layers
begin as nothing, so that the untrained network recommends what is popular and reads like the newest interactions.
"""

import math
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from model_server.model.network import SequenceNetwork

_POPULARITY: Final = 0.5  # length of the most popular item's popularity beside the unit length of its text
_PRIOR: Final = 2.0  # how far a user leans towards what is popular, in lengths of what they did


@torch.no_grad()
def start_privately(network: SequenceNetwork, texts: Tensor, popularity: NDArray[np.float32]) -> None:
    """Set the weights; the projection of texts does not learn from then on.

    Args:
        network: fresh.
        texts: (N, text_dimension) by row.
        popularity: (N,) of `log_popularity`.
    """
    width, most = network.config.dimension, max(float(popularity.max()), 1e-3)
    network.item_ids.weight[:, -1] = _POPULARITY / most * torch.from_numpy(popularity).to(texts.device)
    network.cold_id[-1] = -_POPULARITY  # nobody had it
    network.cold_id.requires_grad_(False)
    if network.text_projection is None:  # a direction of its own for each item
        torch.nn.init.normal_(network.item_ids.weight[:, :-1], std=width**-0.5)
    else:
        network.item_ids.weight[:, :-1] = 0.0
        _project(network.text_projection, texts, width - 1)
    for layer in (network.attention.output, network.attention.feed_forward[2], network.recurrence.output):
        for weight in layer.parameters():
            weight.zero_()
    network.user_projection.weight.copy_(torch.eye(width))
    network.user_projection.weight[-1] = 0.0
    network.user_projection.bias.zero_()
    network.user_projection.bias[-1] = _PRIOR * width**0.5
    # As sharp as popularity itself, or the first steps are spent on nothing else.
    network.log_temperature.fill_(math.log(_lean(_PRIOR) * _lean(_POPULARITY) / most))


def _lean(length: float) -> float:
    """The cosine of a direction of this length beside one of length 1."""
    return length / math.hypot(1.0, length)


def _project(projection: torch.nn.Linear, texts: Tensor, directions: int) -> None:
    """To the principal directions, so that a text has about length 1; nothing into the last direction."""
    middle = texts.mean(dim=0)
    spread = (texts - middle).T @ (texts - middle)
    chosen = torch.linalg.eigh(spread).eigenvectors.T.flip(0)[:directions]
    length = functional.linear(texts - middle, chosen).norm(dim=1).mean().clamp(min=1e-9)
    projection.weight.zero_()
    projection.weight[: len(chosen)] = chosen / length
    projection.bias.zero_()
    projection.bias[: len(chosen)] = -(chosen @ middle) / length
    projection.requires_grad_(False)
