"""The two-tower sequence network: vectors of items and of users, compared by a cosine with a learned temperature.

Item tower: a learned ID embedding plus the projected embedding of the item's text, where the data have texts. The ID
is withheld at random in training, so that an item that nobody touched works from its text alone.
User tower: item vector + event kind + time gap, one causal attention layer with a relative position bias
(T5, arXiv:1910.10683), then a residual GRU (GRU4Rec, arXiv:1511.06939).

The user tower reads the same item vectors that are ranked, so it reads new items as soon as their text is known.
"""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from app.interests.state import Kind
from model_server.model.config import NetworkConfig
from model_server.model.layers import CausalAttention, Newest, ResidualGru
from model_server.model.sequences import GAP_BUCKETS, SequenceBatch

COLD: Final = -1  # the row of an item that has no learned ID embedding
_KIND_ROWS: Final = max(Kind) + 1  # a kind's number is its row
_START_TEMPERATURE: Final = 0.07
_START_SCALE: Final = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """B users: (B, D) `users` of length 1, zeros for who has no interactions; (B, hidden) what the GRU remembers."""

    users: Tensor
    hidden: Tensor


class SequenceNetwork(nn.Module):
    """See the module. Shapes: B users, L interactions, N items, D = `config.dimension`."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        width = config.dimension
        self.item_ids = nn.Embedding(config.items, width)
        self.cold_id = nn.Parameter(torch.zeros(width))
        self.text_projection = nn.Linear(config.text_dimension, width) if config.text_dimension else None
        self.kinds = nn.Embedding(_KIND_ROWS, width)
        self.gaps = nn.Embedding(GAP_BUCKETS, width)
        self.input_norm = nn.LayerNorm(width)
        self.attention = CausalAttention(width, config.heads, config.max_length, config.dropout)
        self.recurrence = ResidualGru(width, config.hidden, config.dropout)
        self.user_norm = nn.LayerNorm(width)
        self.user_projection = nn.Linear(width, width)
        self.log_temperature = nn.Parameter(torch.tensor(_START_TEMPERATURE).log())
        self.dropout = nn.Dropout(config.dropout)
        seen = torch.zeros(_KIND_ROWS, dtype=torch.bool)
        seen[list(config.kinds_seen)] = True
        self.register_buffer("kind_seen", seen, persistent=False)
        for table in (self.item_ids, self.kinds, self.gaps):
            nn.init.normal_(table.weight, std=_START_SCALE)

    def item_vectors(self, rows: Tensor, texts: Tensor) -> Tensor:
        """The vectors of items.

        Args:
            rows: (N,) int64 rows of the ID table, `COLD` (-1) for an item that was not trained on.
            texts: (N, text_dimension) embeddings of the items' texts; not looked at where text_dimension is 0.

        Returns:
            (N, D), of length 1; zeros where neither row nor text say anything.
        """
        known = rows != COLD
        if self.training:
            known = known & (torch.rand(len(rows), device=rows.device) >= self.config.id_dropout)
        learned = torch.where(known[:, None], self.item_ids(rows.clamp(min=0)), self.cold_id)
        described = learned if self.text_projection is None else learned + self.text_projection(texts)
        return functional.normalize(described, dim=-1)

    def encode_users(self, sequences: SequenceBatch, item_vectors: Tensor) -> Encoded:
        """The users as of their newest interaction, independent of the padding and of the others of the batch.

        Args:
            sequences: B users; `positions` index into `item_vectors`.
            item_vectors: (N, D) from `item_vectors`.
        """
        states = self.attention(self.read(sequences, item_vectors))
        return self.encoded(self.recurrence.newest(states, sequences.lengths, self.recurrence.gru), sequences.lengths)

    def encode_grown(self, sequences: SequenceBatch, item_vectors: Tensor, known: Tensor, hidden: Tensor) -> Encoded:
        """As `encode_users`, for users whose sequences have grown at their end since, at the price of the new steps.

        Args:
            sequences: the whole sequences, new steps included.
            item_vectors: as for `encode_users`; those that were read before are what they were.
            known: (B,) how long the sequences were, below their lengths.
            hidden: (B, hidden) of the `Encoded` from then.
        """
        new = sequences.lengths - known
        places = known[:, None] + torch.arange(int(new.max()), device=known.device)
        # A user with fewer new steps than another reads the last one again, and nobody looks at that.
        places = places.clamp(max=sequences.positions.shape[1] - 1)
        states = self.attention.at(self.read(sequences, item_vectors), places)
        return self.encoded(self.recurrence.newest(states, new, self.recurrence.gru, hidden), sequences.lengths)

    def encode_positions(self, sequences: SequenceBatch, item_vectors: Tensor) -> Tensor:
        """(B, L, D): the user as of each interaction, seeing none that came after it. For training."""
        states = self.recurrence(self.attention(self.read(sequences, item_vectors)))
        return functional.normalize(self.user_projection(self.user_norm(states)), dim=-1)

    def read(self, sequences: SequenceBatch, item_vectors: Tensor) -> Tensor:
        """(B, L, D): what the layers are fed."""
        taken = functional.embedding(sequences.positions, item_vectors)
        inputs = torch.add(self._circumstances(sequences), taken, alpha=self.config.dimension**0.5)
        normed: Tensor = self.dropout(self.input_norm(inputs))
        return normed

    def encoded(self, newest: Newest, lengths: Tensor) -> Encoded:
        """The newest states behind the layers, and (B,) how long their sequences are -> users."""
        users = functional.normalize(self.user_projection(self.user_norm(newest.states)), dim=-1)
        return Encoded(users * (lengths > 0)[:, None], newest.hidden)

    def temperature(self) -> Tensor:
        """The learned temperature: logits are cosine / temperature."""
        return self.log_temperature.exp().clamp(min=0.01)

    def scores(self, users: Tensor, item_vectors: Tensor) -> Tensor:
        """(B, D) users and (N, D) items -> (B, N) logits; a softmax over the items gives probabilities."""
        return users @ item_vectors.T / self.temperature()

    def _circumstances(self, sequences: SequenceBatch) -> Tensor:
        """(B, L, D): kind and time gap of each interaction.

        A kind that was never trained on is read as the average of those that were. Kinds are withheld at random in
        training, so that the average means something: a model of ratings then reads a click as 'did something with
        it' instead of as noise.
        """
        seen: Tensor = self.get_buffer("kind_seen")
        average = self.kinds.weight[seen].mean(dim=0)
        kinds = sequences.kinds
        if self.training:
            kinds = kinds * (torch.rand(kinds.shape, device=kinds.device) >= self.config.kind_dropout)
        # No kind has the number 0, so its row is the average: that of withheld kinds and of the padding.
        by_kind = torch.where(seen[:, None], self.kinds.weight, average)
        # One small table of all pairs, one look into it: the batch is many times larger.
        pairs = (by_kind[:, None] + self.gaps.weight).flatten(0, 1)
        return functional.embedding(kinds * GAP_BUCKETS + sequences.gaps, pairs)
