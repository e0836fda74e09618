"""How the text encoder is fine-tuned; DECISIONS.md has the figures."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuningOptions:
    """All of them.

    Args:
        seed: of everything random.
        layers: how many of the encoder's last layers learn; what lies below is computed once per text.
        items: at most so many take part, those with more events rather than those with fewer.
        queries: made of attributes and words of titles.
        pairs: in a batch.
        hard: wrong items beside each batch's own, chosen for lying close to its texts.
        query_share: of the pairs, how many are of a query and an item; the others are of two items.
        steps: at most.
        round_steps: between two validations.
        patience: rounds without a better one until it ends.
        learning_rate: of the last layer; it rises over the first tenth of the steps and falls to zero.
        layer_decay: each layer below learns so much slower.
        temperature: of the softmax over cosines.
        cold_share: of the items, held out with all their events, to validate on.
    """

    seed: int = 0
    layers: int = 1
    items: int = 4_000
    queries: int = 1_600
    pairs: int = 64
    hard: int = 16
    query_share: float = 0.5
    steps: int = 240
    round_steps: int = 40
    patience: int = 2
    learning_rate: float = 1e-4
    layer_decay: float = 0.7
    temperature: float = 0.05
    cold_share: float = 0.1
