"""What is promoted at a moment, as far as the shop says so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.contracts.catalog import Promotion
from app.data.shop import Placements, ShopFacts
from model_server.ranking.lines import NOWHERE, Moments


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
        return _promoted(found)

    return promoted


def promoting_now(
    promotions: Mapping[str, Sequence[Promotion]], number_of: Mapping[str, int], place_of: Mapping[str, int]
) -> Promoting:
    """By what the catalog says of its items now.

    Args:
        promotions: of each item that has any.
        number_of: item id -> number; others are left out.
        place_of: place id -> number; others are left out.
    """
    at: dict[int, dict[int, tuple[int, int]]] = {NOWHERE: {}}
    for item_id, each in promotions.items():
        if (item := number_of.get(item_id)) is None:
            continue
        for one in each:
            place = NOWHERE if one.place is None else place_of.get(one.place)
            if place is not None:
                _add(at.setdefault(place, {}), item, (one.display, one.mailer))
    for place, found in at.items():
        if place != NOWHERE:
            for item, where in at[NOWHERE].items():
                _add(found, item, where)
    placements = {place: _placements(found) for place, found in at.items()}
    everywhere = placements[NOWHERE]

    def promoted(moments: Moments) -> Promoted:
        return _promoted([placements.get(place, everywhere) for place in moments.places.tolist()])

    return promoted


def _add(found: dict[int, tuple[int, int]], item: int, where: tuple[int, int]) -> None:
    """Of two promotions of an item the higher numbers count."""
    display, mailer = found.get(item, (0, 0))
    found[item] = max(display, where[0]), max(mailer, where[1])


def _placements(found: Mapping[int, tuple[int, int]]) -> Placements:
    rows = np.array([(item, *where) for item, where in sorted(found.items())], np.int64).reshape(-1, 3)
    return Placements(rows[:, 0].astype(np.int32), rows[:, 1].astype(np.int8), rows[:, 2].astype(np.int8))


def _promoted(found: Sequence[Placements]) -> Promoted:
    """One moment's placements behind the other's."""
    return Promoted(
        owners=np.repeat(np.arange(len(found), dtype=np.int64), [len(each.items) for each in found]),
        items=np.concatenate([np.zeros(0, np.int64), *(each.items for each in found)]).astype(np.int64),
        displays=np.concatenate([np.zeros(0, np.float32), *(each.displays for each in found)]).astype(np.float32),
        mailers=np.concatenate([np.zeros(0, np.float32), *(each.mailers for each in found)]).astype(np.float32),
    )
