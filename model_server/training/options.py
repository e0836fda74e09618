"""What a person may turn when training. The defaults are what was best for its time on MovieLens-100K (one core)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """Settings of one training run.

    Args:
        epochs: passes over the data; the learning rate falls to zero over them.
        seed: of everything random.
        learning_rate: at its highest, after the warm-up.
        warm_up: share of the training during which the learning rate rises.
        batch_sequences: sequences per step.
        clip_norm: longest gradient.
        patience: epochs without a better validation NDCG@10 after which training stops.
        negatives: items that each step is compared with, drawn anew each time; 0: with all; None: with all of a catalog
            up to `model_server.training.batch_loss.ALL_ITEMS`, with `NEGATIVES` of a larger one.
        validation_users: at most this many users' last events are kept for validation.
        dimension, heads, hidden, max_length, dropout, id_dropout, kind_dropout: see `NetworkConfig`.
    """

    epochs: int = 16
    seed: int = 0
    learning_rate: float = 3e-3
    warm_up: float = 0.05
    batch_sequences: int = 32
    clip_norm: float = 5.0
    patience: int = 4
    negatives: int | None = None
    validation_users: int = 2_000
    dimension: int = 64
    heads: int = 2
    hidden: int = 256
    max_length: int = 50
    dropout: float = 0.3
    id_dropout: float = 0.1
    kind_dropout: float = 0.1
