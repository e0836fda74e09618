"""How a network is trained: what a person may turn (`TrainingOptions`), and what is taken otherwise (`options_for`).

That depends on the data. There are two recipes, each the best for its time on data of its kind (DECISIONS.md):

- dense, many events an item (MovieLens: 59): long histories carry the signal, so a wide GRU, little dropout and small
  steps. These are the defaults of `TrainingOptions`.
- sparse, few events an item (a shop's long tail: 5 to 30): short histories of many people, so item vectors that
  start from co-occurrence, half of everything dropped and steps of many sequences. `SPARSE`; up to three networks of it
  are averaged, as many as twenty minutes of one core can train.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from app.contracts.catalog import CatalogItem, item_text
from app.data.interactions import Interactions


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """Settings of one training run, nothing left open.

    Args:
        epochs: passes over the data; the learning rate falls to zero over them.
        seed: of everything random.
        members: networks that are trained one after the other, with seeds one apart, and whose logits are averaged.
        learning_rate: at its highest, after the warm-up.
        warm_up: share of the training during which the learning rate rises.
        batch_sequences: sequences per step.
        clip_norm: longest gradient.
        patience: epochs without a better validation NDCG@10 after which training stops.
        negatives: items that each step is compared with, drawn anew each time; 0: with all; None: with all of a catalog
            up to `model_server.training.batch_loss.ALL_ITEMS`, with `NEGATIVES` of a larger one.
        validation_users: at most this many users' last events are kept for validation.
        cooccurrence_start: item IDs start from what was done close together (model_server.training.start), not from
            noise.
        neighbour_share: of every target, to what usually follows the newest item (model_server.training.soft_targets).
        hides_had: what the user had before does not compete with what came next (model_server.training.had), where a
            step is compared with all items.
        dimension, heads, hidden, max_length, dropout, id_dropout, kind_dropout: see `NetworkConfig`.
        epsilon: train with differential privacy of people, and spend at most this (model_server.privacy); None: no
            privacy. Then `batch_sequences` is how many people a step draws on average, and `clip_norm` the longest
            gradient of one of them.
        delta: of differential privacy; None: people to the power of -1.1.
    """

    epochs: int = 16
    seed: int = 0
    members: int = 1
    learning_rate: float = 3e-3
    warm_up: float = 0.05
    batch_sequences: int = 32
    clip_norm: float = 5.0
    patience: int = 4
    negatives: int | None = None
    validation_users: int = 2_000
    cooccurrence_start: bool = False
    neighbour_share: float = 0.0
    hides_had: bool = True
    dimension: int = 128
    heads: int = 4
    hidden: int = 256
    max_length: int = 50
    dropout: float = 0.3
    id_dropout: float = 0.1
    kind_dropout: float = 0.1
    epsilon: float | None = None
    delta: float | None = None


DENSE_EVENTS_PER_ITEM: Final = 32  # data with 16 an item want what sparse data want, data with 59 do not
SPARSE: Final = TrainingOptions(
    epochs=14,
    learning_rate=1.5e-3,
    batch_sequences=256,
    cooccurrence_start=True,
    neighbour_share=0.15,
    hides_had=False,
    hidden=128,
    dropout=0.5,
)

PRIVATE: Final = TrainingOptions(
    epochs=8,
    learning_rate=2e-2,
    batch_sequences=256,
    clip_norm=1.0,
    dimension=32,
    heads=2,
    hidden=32,
    dropout=0.0,
    id_dropout=0.0,
    kind_dropout=0.0,
)
"""With differential privacy, whatever the data: a recipe that looked at them would be paid for. Few weights, for noise
grows with their number; few and long steps, for it grows with theirs; no dropout, for noise is there already."""


MOST_MEMBERS: Final = 3
AFFORDABLE_COMPARISONS: Final = 12_000_000_000
"""Events times items, of all members together: what one pass over the data compares. Three members of 20,000 users with
9 events each on 12,000 items, two of 35,000 users on 18,000 items: about twenty minutes of a core for 14 passes."""


def options_for(interactions: Interactions, catalog: Sequence[CatalogItem]) -> TrainingOptions:
    """What suits these interactions."""
    touched = np.unique(interactions.items)
    dense = len(interactions) >= DENSE_EVENTS_PER_ITEM * len(touched)
    options = TrainingOptions() if dense else replace(SPARSE, members=members_for(len(interactions), len(touched)))
    if not any(has_text(catalog[item]) for item in touched):
        # Withholding an item's ID teaches its text to speak for it. Where there is none, nothing would be left.
        options = replace(options, id_dropout=0.0)
    return options


def members_for(events: int, items: int) -> int:
    """How many networks of the sparse recipe are averaged: by the size of the data alone, never by a clock."""
    return max(1, min(MOST_MEMBERS, AFFORDABLE_COMPARISONS // max(1, events * items)))


def has_text(item: CatalogItem) -> bool:
    """Whether anything is known of the item but its id, which files without titles give as title."""
    return item_text(item) != item.item_id
