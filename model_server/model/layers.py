"""The two layers of the user tower. Both are causal: position t sees nothing after t, so padding behind is unseen."""

import torch
from torch import Tensor, nn
from torch.nn import functional


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
        batch, length, width = states.shape
        mixed = self.query_key_value(self.attention_norm(states))
        query, key, value = mixed.view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=self._bias(length), dropout_p=self.rate if self.training else 0.0
        )
        attended = attended.transpose(1, 2).reshape(batch, length, width)
        states = states + self.dropout(self.output(attended))
        transformed: Tensor = self.dropout(self.feed_forward(self.feed_forward_norm(states)))
        return states + transformed

    def _bias(self, length: int) -> Tensor:
        """(1, heads, L, L): the bias of how far key lies behind query, minus infinity where it lies ahead.

        With four dimensions, for only then has torch a kernel on CPU that never writes the attention matrix.
        """
        steps = torch.arange(length, device=self.distance_bias.device)
        distance = steps[:, None] - steps[None, :]
        return self.distance_bias[:, distance.clamp(min=0)].masked_fill(distance < 0, float("-inf"))[None]


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

    def newest(self, states: Tensor, lengths: Tensor, gru: nn.GRU) -> Tensor:
        """What `forward` gives at the last real position of each sequence, nothing projected that nobody reads.

        Args:
            states: (B, L, D).
            lengths: (B,), how many positions are real; of an empty sequence the first is taken.
            gru: this layer's, or a copy of it in another precision.

        Returns:
            (B, D), in the precision of `states`.
        """
        remembered, _ = gru(self.norm(states).to(gru.weight_hh_l0.dtype))
        users, places = torch.arange(len(lengths), device=lengths.device), (lengths - 1).clamp(min=0)
        added: Tensor = self.dropout(self.output(remembered[users, places].to(states.dtype)))
        return states[users, places] + added
