"""The shape of a sequence network: everything that decides which weights it has. Saved with every model version."""

import msgspec

from app.interests.state import Kind


class NetworkConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sizes and rates of one network.

    Args:
        items: rows of the learned ID table.
        text_dimension: width of the text embeddings it reads; 0: it reads none.
        kinds_seen: the kinds that occurred in training; the others are read as their average.
        dimension: width D of item and user vectors.
        heads: attention heads.
        hidden: width of the GRU.
        max_length: longest sequence it reads.
        dropout: on inputs and residual branches, in training only.
        id_dropout: how often an item's ID embedding is withheld in training.
        kind_dropout: how often a kind is read as the average kind in training.
        members: networks of this shape whose logits are averaged (model_server.model.members).
    """

    items: int
    text_dimension: int
    kinds_seen: tuple[Kind, ...]
    dimension: int = 64
    heads: int = 2
    hidden: int = 256
    max_length: int = 50
    dropout: float = 0.3
    id_dropout: float = 0.1
    kind_dropout: float = 0.1
    members: int = 1

    @property
    def vector_width(self) -> int:
        """Of item and user vectors, all members' together."""
        return self.members * self.dimension

    @property
    def memory_width(self) -> int:
        """Of what the GRUs remember of a user, all members' together."""
        return self.members * self.hidden
