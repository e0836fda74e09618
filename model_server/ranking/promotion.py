"""What is promoted at a moment, as far as the shop says so."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.data.shop import ShopFacts
from model_server.ranking.lines import Moments


@dataclass(frozen=True, slots=True, eq=False)
class Promoted:
    """Rows sorted by (owner, item): what is promoted at each moment.

    Args:
        owners, items: (P,) int64.
        displays, mailers: (P,) float32, where in the shop and in the leaflet, as the shop numbers it; 0: not there.
    """

    owners: NDArray[np.int64]
    items: NDArray[np.int64]
    displays: NDArray[np.float32]
    mailers: NDArray[np.float32]


class Promoting(Protocol):
    """Says what is promoted."""

    def __call__(self, moments: Moments) -> Promoted:
        """What is promoted at these moments, in their places."""


def nothing_promoted(moments: Moments) -> Promoted:
    """For a shop that does not say."""
    nothing = np.zeros(0, np.int64)
    return Promoted(nothing, nothing, np.zeros(0, np.float32), np.zeros(0, np.float32))


def promoting(shop: ShopFacts) -> Promoting:
    """By this shop's weekly placements."""
    placements = shop.promotions()

    def promoted(moments: Moments) -> Promoted:
        weeks = shop.weeks(moments.now_ms)
        found = [placements.at(int(place), int(week)) for place, week in zip(moments.places, weeks, strict=True)]
        return Promoted(
            owners=np.repeat(np.arange(len(found), dtype=np.int64), [len(each.items) for each in found]),
            items=np.concatenate([np.zeros(0, np.int64), *(each.items for each in found)]).astype(np.int64),
            displays=np.concatenate([np.zeros(0, np.float32), *(each.displays for each in found)]).astype(np.float32),
            mailers=np.concatenate([np.zeros(0, np.float32), *(each.mailers for each in found)]).astype(np.float32),
        )

    return promoted
