"""Who spoke for an item that a ranker shows: the trees weigh everything at once, so this names the loudest."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from model_server.ranking.own import OwnItems
from model_server.ranking.sources import Pooled, Scores
from model_server.ranking.tables import ItemTables

OWN: Final = "own"
SPEAKERS: Final = (OWN, "neighbours", "people", "type", "popularity", "place")
"""As they are published: the user's own items, then what `_HEARD` gathers under each name."""

_HEARD: Final = (
    ("neighbours", ("likeness", "blend")),
    ("people", ("people", "people_new")),
    ("type", ("in_type", "hot", "steady")),
    ("popularity", ("fresh", "usual")),
    ("place", ("here", "first_here")),
)


def loudest(
    owners: NDArray[np.int64], items: NDArray[np.int64], said: Pooled, own: OwnItems, tables: ItemTables
) -> NDArray[np.int64]:
    """(C,) places in `SPEAKERS`: own items are just that; of others, whose score is nearest to the user's highest.

    Args:
        owners: (C,) whom it is shown.
        items: (C,) what.
        said: what the sources said to all owners.
        own: what the owners had.
        tables: of the items.
    """
    columns = tables.column_of[items]
    shares = np.stack([_share(getattr(said, name), owners, columns) for _, names in _HEARD for name in names])
    speaker_of = np.array([SPEAKERS.index(speaker) for speaker, names in _HEARD for _ in names])
    span = len(tables.facts)
    had = np.isin(owners * span + items, own.owners * span + own.items)
    return np.where(had, SPEAKERS.index(OWN), speaker_of[shares.argmax(axis=0)])


def _share(scores: Scores, owners: NDArray[np.int64], columns: NDArray[np.int64]) -> Scores:
    """(C,) each score over its owner's highest, 0 of what is not in the pool."""
    if not scores.shape[-1]:
        return np.zeros(len(owners), np.float32)
    highest = np.maximum(scores.max(axis=-1), np.finfo(np.float32).tiny)
    values = scores[owners, columns] / highest[owners] if scores.ndim > 1 else scores[columns] / highest
    return np.where(columns >= 0, values, np.float32(0))
