"""The one interface through which models and baselines are compared."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.data.interactions import Interactions


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """B moments at which somebody is to be shown something, and what is known at each.

    Args:
        histories: B users' interactions until then, oldest first; may be empty.
        users: (B,) int64 index into `Interactions.user_ids`.
        now_ms: (B,) int64, the moment.
        carts: B arrays of the items that already lie in the cart, which are not in the history yet; None: no carts.
        places: (B,) int32, where the user is, as in `Interactions.places`; None: not known.
    """

    histories: Sequence[Interactions]
    users: NDArray[np.int64]
    now_ms: NDArray[np.int64]
    carts: Sequence[NDArray[np.int32]] | None = None
    places: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.histories)


class Recommender(Protocol):
    """Something that scores the whole catalog for users.

    `online` says whether `observe` changes what it knows of a user's *next* item; if it does not, a protocol may
    ask for many users at once before it lets the recommender observe what they did.
    """

    @property
    def online(self) -> bool:
        """See the class."""

    def scores(self, cases: Cases) -> NDArray[np.floating]:
        """(B, N) what each item is worth at each of these moments: higher is better, minus infinity is never shown."""

    def observe(self, events: Interactions) -> None:
        """These happened next, in time order, to anybody."""


Fit = Callable[[Interactions], Recommender]
"""Makes a recommender that has learned from a training part."""
