"""Whom is shown what, before it is put in order: the own items and the best of every source."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model_server.ranking.lines import Moments
from model_server.ranking.own import OwnItems
from model_server.ranking.promotion import Promoted
from model_server.ranking.sources import Pooled
from model_server.ranking.tables import ItemTables

_UNUSED_A_DAY: Final = 0.98


@dataclass(frozen=True, slots=True)
class CandidateOptions:
    """How many.

    Args:
        own: at most so many of a user's own items; 0 where only what is new to the user may be shown.
        each: so many of each source.
        promoted_only: nothing but what is promoted.
    """

    own: int = 250
    each: int = 45
    promoted_only: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """C pairs sorted by (owner, item), none twice: (C,) int64 each."""

    owners: NDArray[np.int64]
    items: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.owners)


def candidates(
    moments: Moments, own: OwnItems, tables: ItemTables, said: Pooled, promoted: Promoted, options: CandidateOptions
) -> Candidates:
    """Nothing that lies in a cart; and of what a user had, the own items alone."""
    span = len(tables.facts)
    pairs = np.concatenate([_own(own, span, options.own), _new(moments, own, tables, said, options)])
    in_cart = moments.cart_owners * span + moments.cart_items
    pairs = np.setdiff1d(pairs, in_cart)
    if options.promoted_only:
        pairs = np.intersect1d(pairs, promoted.owners * span + promoted.items)
    return Candidates(pairs // span, pairs % span)


def _own(own: OwnItems, span: int, most: int) -> NDArray[np.int64]:
    """Of each owner those taken most and last."""
    strength = own.decayed + _UNUSED_A_DAY**own.last_days / 2
    order = np.lexsort((-strength, own.owners))
    place = np.arange(len(order)) - np.searchsorted(own.owners, own.owners)
    kept = order[place < most]
    return own.owners[kept] * span + own.items[kept]


def _new(
    moments: Moments, own: OwnItems, tables: ItemTables, said: Pooled, options: CandidateOptions
) -> NDArray[np.int64]:
    """The best of each source among what the user never had."""
    had = np.zeros((len(moments), len(tables.pool)), np.bool_)
    columns = tables.column_of[own.items]
    had[own.owners[columns >= 0], columns[columns >= 0]] = True
    chosen = np.zeros_like(had)
    each = min(options.each, had.shape[1])
    if options.promoted_only:
        # One source, and more of it: everything that is promoted has a score there.
        sources, each = iter([said.promoted]), min(5 * options.each, had.shape[1])
    else:
        sources = said.sources()
    if each:
        for scores in sources:
            best = np.argpartition(np.where(had, np.inf, -scores), each - 1, axis=1)[:, :each]
            np.put_along_axis(chosen, best, values=True, axis=1)
    owners, places = np.nonzero(chosen & ~had)
    return owners * len(tables.facts) + tables.pool[places]
