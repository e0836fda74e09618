"""The states of torch's random generators, as a checkpoint keeps them."""

import torch
from torch import Tensor


def generator_states(device: torch.device) -> list[Tensor]:
    """Of the CPU's generator and, on a GPU, of the GPU's; both kept on the CPU."""
    states = [torch.get_rng_state()]
    return [*states, torch.cuda.get_rng_state(device)] if device.type == "cuda" else states


def set_generators(states: list[Tensor], device: torch.device) -> None:
    """Go on where `generator_states` was called."""
    torch.set_rng_state(states[0])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states[1], device)
