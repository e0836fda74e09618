"""One batch on its way to features: what is known of its users, and the pairs that are to be described."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model_server.ranking.candidates import Candidates
from model_server.ranking.groups import Groups, Numbers
from model_server.ranking.lines import Lines, Moments
from model_server.ranking.own import OwnItems
from model_server.ranking.promotion import Promoted
from model_server.ranking.sources import Pooled, Scores
from model_server.ranking.tables import ItemTables

LONG_AGO: Final = 999.0
"""Days since something that never happened."""

Columns = dict[str, NDArray[np.generic]]
"""(C,) values of each feature, by name."""


@dataclass(frozen=True)
class Frame:
    """B users, C pairs.

    Args:
        moments, own, tables, promoted: see there.
        newest: the users' newest interactions, as many as the state keeps.
        said: what the sources said.
        pairs: to be described.
    """

    moments: Moments
    newest: Lines
    own: OwnItems
    tables: ItemTables
    said: Pooled
    promoted: Promoted
    pairs: Candidates

    @cached_property
    def keys(self) -> NDArray[np.int64]:
        """(C,) owner and item in one number."""
        return self.pairs.owners * len(self.tables.facts) + self.pairs.items

    @cached_property
    def in_own(self) -> Groups:
        """The pairs among the own items."""
        return Groups.of(self.own.owners * len(self.tables.facts) + self.own.items, self.keys)

    @cached_property
    def decayed_of_owner(self) -> Numbers:
        """(B,) decayed interactions of each user, never 0."""
        sums = np.bincount(self.own.owners, weights=self.own.decayed, minlength=len(self.moments))
        return np.maximum(sums, 1e-6)

    def grouped(self, group_of_item: NDArray[np.int32] | NDArray[np.int64]) -> Groups:
        """The pairs among the own items' groups (types, brands, ...)."""
        span = int(group_of_item.max(initial=0)) + 1
        own, pairs = self.own, self.pairs
        return Groups.of(own.owners * span + group_of_item[own.items], pairs.owners * span + group_of_item[pairs.items])

    def pooled(self, scores: Scores) -> NDArray[np.float32]:
        """(C,) what a source said, 0 of what is not in the pool."""
        if not scores.shape[1]:  # so small a shop that nothing is in the pool
            return np.zeros(len(self.pairs), np.float32)
        columns = self.tables.column_of[self.pairs.items]
        return np.where(columns >= 0, scores[self.pairs.owners, columns], np.float32(0))
