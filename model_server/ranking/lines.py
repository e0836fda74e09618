"""Whom to rank for, and what they did, as columns over a batch. Pure numpy, no step of Python per interaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from app.data.interactions import Interactions
from model_server.judging.cases import Cases

VISIT_GAP_MS: Final = 30 * 60_000
"""A visit ends where more time than this passes without an interaction."""
NOWHERE: Final = -1


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """B moments at which somebody is to be shown something.

    Args:
        now_ms: (B,) int64.
        users: (B,) int64, number among those the tables were fitted on, -1 for somebody else.
        places: (B,) int32, -1 where it is not known.
        cart_owners: (C,) int64 rising, the moment that an item in a cart belongs to.
        cart_items: (C,) int64.
    """

    now_ms: NDArray[np.int64]
    users: NDArray[np.int64]
    places: NDArray[np.int32]
    cart_owners: NDArray[np.int64]
    cart_items: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.now_ms)

    @property
    def cart_sizes(self) -> NDArray[np.int64]:
        """(B,) items in each cart."""
        return np.bincount(self.cart_owners, minlength=len(self))


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """Interactions of B users, one user's behind the other's, oldest first.

    Args:
        owners: (L,) int64 rising, the moment that they belong to.
        items: (L,) int64.
        ts_ms: (L,) int64.
        places: (L,) int32, -1 where it is not known.
        visits_ago: (L,) int64, 1 for the owner's newest visit.
    """

    owners: NDArray[np.int64]
    items: NDArray[np.int64]
    ts_ms: NDArray[np.int64]
    places: NDArray[np.int32]
    visits_ago: NDArray[np.int64]

    def newest(self, count: int) -> "Lines":
        """The `count` newest of each owner."""
        kept = self.behind() <= count
        return Lines(self.owners[kept], self.items[kept], self.ts_ms[kept], self.places[kept], self.visits_ago[kept])

    def behind(self) -> NDArray[np.int64]:
        """(L,) 1 for each owner's newest interaction, 2 for the one before, ..."""
        return np.searchsorted(self.owners, self.owners, side="right") - np.arange(len(self.owners))


def moments_of(cases: Cases) -> Moments:
    """The cases' moments."""
    carts = cases.carts if cases.carts is not None else []
    sizes = [len(cart) for cart in carts]
    nowhere = np.full(len(cases), NOWHERE, np.int32)
    return Moments(
        now_ms=cases.now_ms.astype(np.int64),
        users=cases.users.astype(np.int64),
        places=nowhere if cases.places is None else cases.places.astype(np.int32),
        cart_owners=np.repeat(np.arange(len(carts), dtype=np.int64), sizes),
        cart_items=_joined(carts, np.int64),
    )


def lines_of(histories: Sequence[Interactions]) -> Lines:
    """The histories as columns."""
    owners = np.repeat(np.arange(len(histories), dtype=np.int64), [len(history) for history in histories])
    ts_ms = _joined([history.ts_ms for history in histories], np.int64)
    known = [history.places for history in histories if history.places is not None]
    return Lines(
        owners=owners,
        items=_joined([history.items for history in histories], np.int64),
        ts_ms=ts_ms,
        places=_joined(known, np.int32) if len(known) == len(histories) else np.full(len(owners), NOWHERE, np.int32),
        visits_ago=visits_ago(owners, ts_ms),
    )


def visits_ago(owners: NDArray[np.int64], ts_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """(L,) the visit of each interaction, counted from the owner's newest one, which is 1."""
    number = visit_numbers(owners, ts_ms)
    newest = np.searchsorted(owners, owners, side="right") - 1
    return number[newest] - number + 1


def visit_numbers(owners: NDArray[np.int64], ts_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """(L,) rising number of the visit, over all owners; interactions by owner, then time."""
    starts = np.ones(len(owners), np.bool_)
    starts[1:] = (np.diff(owners) != 0) | (np.diff(ts_ms) > VISIT_GAP_MS)
    return np.cumsum(starts) - 1


def _joined(columns: Sequence[NDArray[Any]], dtype: DTypeLike) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, dtype), *columns]).astype(dtype)
