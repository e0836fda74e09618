"""What users' touches say about single items: what may not be shown again, and what may serve as a reason.

For a whole batch of users at once. Knows no surface by name and no vectors.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.interests.state import Kind
from app.surfaces.surface import Hide
from app.surfaces.touches import Touches

_LIKED_FROM: Final = 0.7  # of the rating scale
_DISLIKED_BELOW: Final = 0.5

Numbers = NDArray[np.int64]


class Attachment(IntEnum):
    """How a user stands to an item; the strongest one words the reason."""

    VIEWED = 1
    CLICKED = 2
    RATED = 3
    LIKED = 4
    IN_CART = 5
    BOUGHT = 6


_ATTACHMENTS: Final = {
    Kind.CLICK: Attachment.CLICKED,
    Kind.REMOVE_FROM_CART: Attachment.CLICKED,
    Kind.RATE: Attachment.RATED,
    Kind.LIKE: Attachment.LIKED,
    Kind.ADD_TO_CART: Attachment.IN_CART,
    Kind.PURCHASE: Attachment.BOUGHT,
}


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """(P,) users and as many items: P pairs, by ascending user."""

    users: Numbers
    items: Numbers

    def of(self, wanted: Numbers) -> "Pairs":
        """Those of some users, (W,) ascending, who are numbered anew from 0."""
        place = np.searchsorted(wanted, self.users)
        found = np.append(wanted, -1)[place] == self.users
        return Pairs(place[found], self.items[found])


@dataclass(frozen=True, slots=True, eq=False)
class Anchors:
    """Items that a reason may point to, the newest first: (B, A) each, `items` 0 where nothing is `real`."""

    items: Numbers
    attachments: Numbers
    real: NDArray[np.bool_]


class Marks:
    """What B users did to each item, and what is left of it.

    A rating under half of the scale is a dislike; a cart that was emptied is no cart; the newest of like and dislike
    holds.

    Args:
        touches: what they did.
        rating_scale: the most stars.
    """

    def __init__(self, touches: Touches, rating_scale: float) -> None:
        highest = max(touches.items.max(initial=0), touches.older_items.max(initial=0))
        # One number for a user's item: pairs are then sorted, found and told apart as fast as numbers are.
        self._shift = int(highest).bit_length()
        self._count = touches.count
        self._pairs = touches.users << self._shift | touches.items
        self._kinds = _as_read(touches, rating_scale)
        self._older_pairs = touches.older_users << self._shift | touches.older_items
        self._older_kinds = touches.older_kinds

    def hidden(self, hide: Collection[Hide]) -> Pairs:
        """Whom which items must not be shown; what was disliked never is."""
        if Hide.SEEN in hide:
            parts = [self._pairs, self._older_pairs]
        else:
            parts = [self._disliked]
            if Hide.BOUGHT in hide:
                parts += [self._pairs[self._kinds == Kind.PURCHASE], self._older(Kind.PURCHASE)]
            if Hide.IN_CART in hide:
                parts.append(self._in_cart)
        pairs = np.sort(np.concatenate(parts))  # one may come twice, and nobody minds
        return Pairs(pairs >> self._shift, pairs & (1 << self._shift) - 1)

    def anchors(self, most: int) -> Anchors:
        """The `most` newest items of each user that were not turned down, each with the strongest attachment."""
        kept = ~_among(self._pairs, self._disliked)
        pairs = self._pairs[kept]
        groups = _groups(pairs)
        strongest = np.maximum.reduceat(self._attachments[kept][groups.order], groups.starts) if len(pairs) else pairs
        newest = groups.order[groups.ends]
        by_time = np.argsort(newest)  # ascending by user, then from the oldest to the newest
        found, strongest = pairs[newest][by_time], strongest[by_time]
        users = found >> self._shift
        counts = np.bincount(users, minlength=self._count)
        place = np.cumsum(counts)[users] - 1 - np.arange(len(users))
        among = place < most
        users, place = users[among], place[among]
        shape = (self._count, max(1, min(most, int(counts.max(initial=0)))))
        anchors = Anchors(np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.bool_))
        anchors.items[users, place] = (found & (1 << self._shift) - 1)[among]
        anchors.attachments[users, place] = strongest[among]
        anchors.real[users, place] = True
        return anchors

    @cached_property
    def _disliked(self) -> Numbers:
        return self._standing(Kind.DISLIKE, (Kind.LIKE,))

    @cached_property
    def _in_cart(self) -> Numbers:
        return self._standing(Kind.ADD_TO_CART, (Kind.REMOVE_FROM_CART, Kind.PURCHASE))

    @cached_property
    def _attachments(self) -> Numbers:
        by_kind = np.array([_ATTACHMENTS.get(kind, Attachment.VIEWED) for kind in (Kind.VIEW, *Kind)], np.int64)
        attachments = by_kind[self._kinds]
        carted = attachments == Attachment.IN_CART
        if carted.any():
            attachments[carted & ~_among(self._pairs, self._in_cart)] = Attachment.CLICKED
        return attachments

    def _standing(self, does: Kind, undo: tuple[Kind, ...]) -> Numbers:
        """The pairs, ascending, of which the newest of these kinds is the one that does and not one that undoes."""
        doing = self._kinds == does
        relevant = doing.copy()
        for kind in undo:
            relevant |= self._kinds == kind
        older = self._older(does)
        if not len(older) and not doing.any():
            return older
        pairs = np.concatenate((older, self._pairs[relevant]))
        stands = np.concatenate((np.ones(len(older), np.bool_), doing[relevant]))
        groups = _groups(pairs)
        newest = groups.order[groups.ends]
        standing: Numbers = pairs[newest[stands[newest]]]
        return standing

    def _older(self, kind: Kind) -> Numbers:
        with_kind: Numbers = self._older_pairs[self._older_kinds & 1 << kind != 0]
        return with_kind


@dataclass(frozen=True, slots=True, eq=False)
class _Groups:
    """Equal values side by side: the order that puts them so, in itself stable, and each group's first and last."""

    order: Numbers
    starts: Numbers
    ends: Numbers


def _groups(values: Numbers) -> _Groups:
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    changes = np.flatnonzero(ordered[1:] != ordered[:-1])
    if not len(values):
        return _Groups(order, changes, changes)
    return _Groups(order, np.append(0, changes + 1), np.append(changes, len(values) - 1))


def _among(values: Numbers, ascending: Numbers) -> NDArray[np.bool_]:
    """Which of the values are among the others."""
    if not len(ascending):
        return np.zeros(len(values), np.bool_)
    found: NDArray[np.bool_] = ascending[np.minimum(np.searchsorted(ascending, values), len(ascending) - 1)] == values
    return found


def _as_read(touches: Touches, rating_scale: float) -> Numbers:
    """The kinds, a clear rating read as what it says."""
    rated = touches.kinds == Kind.RATE
    kinds = touches.kinds.copy()
    kinds[rated & (touches.strengths < _DISLIKED_BELOW * rating_scale)] = Kind.DISLIKE
    kinds[rated & (touches.strengths >= _LIKED_FROM * rating_scale)] = Kind.LIKE
    return kinds
