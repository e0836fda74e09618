"""What each source thinks of each candidate, on one scale. Pure: arrays in, arrays out.

A source's worths are made comparable per user: counts are divided by the user's highest, the network's scores run from
the user's best candidate (1) down to the last one retrieved (just above 0); what a source did not offer is worth 0 to
it. So a source needs to offer its best only, and nothing has to be known of the whole catalogue.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.surfaces.marks import Pairs
from model_server.counts.entries import Entries

_LEAST: Final = 0.01  # of the last one retrieved: more than not to be retrieved
_CELLS: Final = 1 << 18  # users x candidates looked at in one go: what stays in the cache


@dataclass(frozen=True, slots=True, eq=False)
class Worths:
    """S sources' worths of C candidates for B users.

    Args:
        first: number of the first of these users.
        slots: (C,) the candidates, ascending; not every one is every user's.
        worth: (S, B, C) float32 from 0 to 1; 0 where the source does not offer it, or it is hidden from the user.
    """

    first: int
    slots: NDArray[np.int64]
    worth: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Offers:
    """What sources offer to B users, items numbered by slots.

    Args:
        users: B.
        sources: S of them; worths above 0 count, of one item they add up.
        hidden: whom what must not be shown.
        shown: (N,) bool, by slot: may be shown at all.
    """

    users: int
    sources: Sequence[Entries]
    hidden: Pairs
    shown: NDArray[np.bool_]

    def worths(self) -> Iterator[Worths]:
        """Block by block of users."""
        entries = sum(len(each.users) for each in self.sources)
        fitting = max(_CELLS // max(1, len(self.shown)), isqrt(_CELLS * self.users // max(1, entries)), 1)
        if fitting >= self.users:
            yield self.in_one_go(0)
            return
        for first in range(0, self.users, fitting):
            yield self._of(first, min(first + fitting, self.users)).in_one_go(first)

    def _of(self, first: int, end: int) -> "Offers":
        hidden = slice(*np.searchsorted(self.hidden.users, (first, end)))
        return Offers(
            end - first,
            [_part(each, first, end) for each in self.sources],
            Pairs(self.hidden.users[hidden] - first, self.hidden.items[hidden]),
            self.shown,
        )

    def in_one_go(self, first: int) -> Worths:
        """All of them in one block, whose first user has that number."""
        slots, place_of = self._candidates()
        width = len(slots) + 1  # the last column takes what may not be shown
        worth = np.empty((len(self.sources), self.users, len(slots)), np.float32)
        hidden = place_of[self.hidden.items]
        for source, entries in enumerate(self.sources):
            cells = entries.users * width + place_of[entries.items]
            added = np.bincount(cells, entries.worth, self.users * width).reshape(self.users, width)
            added[self.hidden.users, hidden] = 0.0
            own = np.maximum(added[:, :-1], 0.0)
            own /= np.maximum(own.max(axis=1, keepdims=True, initial=0.0), np.finfo(np.float32).tiny)
            worth[source] = own
        return Worths(first, slots, worth)

    def _candidates(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The slots that anybody is offered, and each slot's place among them: the place behind the last for others."""
        offered = np.zeros(len(self.shown), np.bool_)
        for each in self.sources:
            offered[each.items] = True
        offered &= self.shown
        slots = np.flatnonzero(offered)
        place_of = np.full(len(self.shown), len(slots), np.int64)
        place_of[slots] = np.arange(len(slots))
        return slots, place_of


def retrieved(slots: NDArray[np.int64], scores: NDArray[np.floating], counts: NDArray[np.int64]) -> Entries:
    """The offers of a source that scores everything and retrieves its best.

    Args:
        slots: (B, K), the best first.
        scores: (B, K) on any scale.
        counts: (B,) how many of each row were found.
    """
    found = np.arange(slots.shape[1]) < counts[:, None]
    users, places = np.nonzero(found)
    best = scores[:, :1]
    last = np.take_along_axis(scores, np.maximum(counts - 1, 0)[:, None], axis=1)
    with np.errstate(invalid="ignore"):  # of users who found nothing; they have no row in what is returned
        spread = np.where(best > last, best - last, 1.0)
        scaled = _LEAST + (1 - _LEAST) * (scores - last) / spread
    return Entries(users, slots[users, places], scaled[users, places].astype(np.float64))


def _part(entries: Entries, first: int, end: int) -> Entries:
    part = slice(*np.searchsorted(entries.users, (first, end)))
    return Entries(entries.users[part] - first, entries.items[part], entries.worth[part])
