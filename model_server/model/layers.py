"""The two layers of the user tower. Both are causal: position t sees nothing after t, so padding behind is unseen.

And what a position says stays said: when a sequence grows at its end, only the new positions need work (`at`, and
`newest` with what the GRU remembered `before` them).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, slots=True, eq=False)
class Newest:
    """As of the last position of B sequences: (B, D) `states` behind the layer, (B, hidden) what its GRU remembers."""

    states: Tensor
    hidden: Tensor


class CausalAttention(nn.Module):
    """One pre-LN transformer layer with a learned bias per head and distance."""

    def __init__(self, width: int, heads: int, max_length: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.rate = dropout
        self.attention_norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.distance_bias = nn.Parameter(torch.zeros(heads, max_length))
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor) -> Tensor:
        """(B, L, D) -> (B, L, D)."""
        batch, length, _ = states.shape
        mixed = self.query_key_value(self.attention_norm(states))
        query, key, value = mixed.view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        steps = torch.arange(length, device=states.device)
        # With four dimensions, for only then has torch a kernel on CPU that never writes the attention matrix.
        bias = self._bias(steps[:, None] - steps)[None]
        rate = self.rate if self.training else 0.0
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias, dropout_p=rate)
        return self._mixed_in(states, attended)

    def at(self, states: Tensor, places: Tensor) -> Tensor:
        """What `forward` gives at these places, at the price of only them.

        Args:
            states: (B, L, D).
            places: (B, N) positions, below L.

        Returns:
            (B, N, D).
        """
        batch, length, width = states.shape
        normed = self.attention_norm(states)
        users = torch.arange(batch, device=states.device)[:, None]
        weight, bias = self.query_key_value.weight, self.query_key_value.bias
        query = functional.linear(normed[users, places], weight[:width], bias[:width])
        key_value = functional.linear(normed, weight[width:], bias[width:])
        query = query.view(batch, -1, self.heads, width // self.heads).transpose(1, 2)
        key, value = key_value.view(batch, length, 2, self.heads, -1).permute(2, 0, 3, 1, 4)
        distance = places[:, :, None] - torch.arange(length, device=states.device)
        attended = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=self._bias(distance).transpose(0, 1)
        )
        return self._mixed_in(states[users, places], attended)

    def _mixed_in(self, states: Tensor, attended: Tensor) -> Tensor:
        """(B, N, D) states and (B, heads, N, D / heads) of what they attended to -> (B, N, D)."""
        attended = attended.transpose(1, 2).reshape(states.shape)
        states = states + self.dropout(self.output(attended))
        transformed: Tensor = self.dropout(self.feed_forward(self.feed_forward_norm(states)))
        return states + transformed

    def _bias(self, distance: Tensor) -> Tensor:
        """(*) how far the key lies behind the query -> (heads, *): minus infinity where it lies ahead.

        What lies farther behind than anything in training counts as the farthest there was.
        """
        bias = self.distance_bias[:, distance.clamp(0, self.distance_bias.shape[1] - 1)]
        return bias.masked_fill(distance < 0, float("-inf"))


class ResidualGru(nn.Module):
    """A pre-LN GRU, wider than the model, projected back and added to its input."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.gru = nn.GRU(width, hidden, batch_first=True)
        self.output = nn.Linear(hidden, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor) -> Tensor:
        """(B, L, D) -> (B, L, D)."""
        remembered, _ = self.gru(self.norm(states))
        added: Tensor = self.dropout(self.output(remembered))
        return states + added

    def newest(self, states: Tensor, lengths: Tensor, gru: nn.GRU, before: Tensor | None = None) -> "Newest":
        """What `forward` gives at the last real position of each sequence, nothing projected that nobody reads.

        Args:
            states: (B, L, D).
            lengths: (B,), how many positions are real; of an empty sequence the first is taken.
            gru: this layer's, or a copy of it in another precision.
            before: (B, hidden) what the GRU remembered before the first position; None: nothing.

        Returns:
            In the precision of `states`.
        """
        remembered, _ = gru(self.norm(states).to(gru.weight_hh_l0.dtype), None if before is None else before[None])
        users, places = torch.arange(len(lengths), device=lengths.device), (lengths - 1).clamp(min=0)
        hidden = remembered[users, places].to(states.dtype)
        added: Tensor = self.dropout(self.output(hidden))
        return Newest(states[users, places] + added, hidden)
