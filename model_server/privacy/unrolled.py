"""A GRU written out step by step: the same weights and results as torch's, whose kernels `torch.vmap` cannot batch."""

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from model_server.model.network import SequenceNetwork


class UnrolledGru(nn.GRU):
    """One layer, forwards, batch first."""

    def forward(self, states: Tensor, before: Tensor | None = None) -> tuple[Tensor, Tensor]:  # type: ignore[override]  # torch's also takes packed sequences
        """(B, L, D), (1, B, hidden) -> (B, L, hidden), (1, B, hidden), as `nn.GRU`."""
        width = self.hidden_size
        ((reading, recalling, reading_bias, recalling_bias),) = self.all_weights
        read = functional.linear(states, reading, reading_bias)
        hidden = torch.zeros_like(read[:, 0, :width]) if before is None else before[0]
        remembered = []
        for step in range(states.shape[1]):
            given, recalled = read[:, step], functional.linear(hidden, recalling, recalling_bias)
            reset, keep = (given[:, : 2 * width] + recalled[:, : 2 * width]).sigmoid().chunk(2, dim=1)
            new = (given[:, 2 * width :] + reset * recalled[:, 2 * width :]).tanh()
            hidden = new + keep * (hidden - new)
            remembered.append(hidden)
        return torch.stack(remembered, dim=1), hidden[None]


def unrolled(network: SequenceNetwork) -> SequenceNetwork:
    """A copy of the network with its GRU written out; the weights have the same names."""
    copied = copy.deepcopy(network)
    gru = copied.recurrence.gru
    own = UnrolledGru(gru.input_size, gru.hidden_size, batch_first=True).to(next(gru.parameters()).device)
    own.load_state_dict(gru.state_dict())
    copied.recurrence.gru = own
    return copied
