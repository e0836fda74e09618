"""What is counted beside the network, from a log whose items are the rows of its ID table."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from app.data.interactions import Interactions
from model_server.counts.covisitation import CoVisitation, CoVisitationOptions
from model_server.counts.ease import READING as EASE_READING
from model_server.counts.ease import EaseOptions, ease
from model_server.counts.item_knn import READING as KNN_READING
from model_server.counts.item_knn import KnnOptions, item_knn
from model_server.counts.matrices import user_items
from model_server.counts.neighbours import NeighbourTable, Reading
from model_server.model.sequences import NEGATIVE_KINDS

_LEAST_NEIGHBOURS: Final = 16
_MOST_NEIGHBOURS: Final = 128
_MOST_PAIRS: Final = 1 << 24  # of co-visitation: 128 MB


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """Co-visitation, and a table of neighbours with the way in which a history reads it."""

    covisitation: CoVisitation
    neighbours: NeighbourTable
    reading: Reading


def options_for(items: int) -> CoVisitationOptions:
    """So many neighbours of each of so many items as fit into 128 MB, and room for as many new items as a fourth."""
    fitting = _MOST_PAIRS // max(1, items)
    return CoVisitationOptions(
        neighbours=max(_LEAST_NEIGHBOURS, min(_MOST_NEIGHBOURS, fitting)),
        max_items=max(CoVisitationOptions().max_items, items + items // 4),
    )


def count(log: Interactions, items: int) -> Counted:
    """Count what was touched; what turns an item down says nothing, and an item without a row (below 0) neither.

    EASE where its dense inverse is affordable, else item-kNN.

    Args:
        log: in time order, items by row.
        items: rows.
    """
    kept = ~np.isin(log.kinds, sorted(NEGATIVE_KINDS)) & (log.items >= 0)
    touched = replace(log.take(kept), item_ids=("",) * items)
    covisitation = CoVisitation(options_for(items))
    covisitation.observe(touched.users, touched.items, touched.ts_ms)
    rows, closed = user_items(touched), EaseOptions()
    if items <= closed.max_items:
        return Counted(covisitation, ease(rows, closed), EASE_READING)
    return Counted(covisitation, item_knn(rows, KnnOptions()), KNN_READING)
