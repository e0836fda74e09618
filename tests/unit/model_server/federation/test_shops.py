"""Who is whose."""

from dataclasses import replace

import numpy as np
import pytest

from app.errors import DataError
from model_server.federation.shops import deal_out, of_shops
from tests.support.model import interactions_of, planted_dataset

LOG = planted_dataset(users=10).interactions


def test_everybody_is_dealt_out_once_and_the_same_way_again() -> None:
    shops, again = deal_out(LOG, 3, seed=1), deal_out(LOG, 3, seed=1)
    assert sorted(np.concatenate([shop.users for shop in shops]).tolist()) == list(range(10))
    assert sorted(len(shop.users) for shop in shops) == [3, 3, 4]
    assert [shop.users.tolist() for shop in shops] == [shop.users.tolist() for shop in again]


def test_where_places_are_known_they_are_the_shops() -> None:
    rows = [(user, step, step) for step in range(3) for user in range(5)]
    # User 4 shops mostly at a place where nobody else does, user 3 nowhere that is known.
    places = np.array([[0, 0, 1, -1, 2], [1, 0, 1, -1, 2], [0, 1, 1, -1, 0]], np.int32).ravel()
    log = replace(interactions_of(rows, users=5, items=3), places=places, place_ids=("north", "south", "east"))
    north, south = deal_out(log, 2, seed=0)
    assert (north.name, north.users.tolist()) == ("north", [0, 1])
    assert (south.name, south.users.tolist()) == ("south", [2])
    assert np.unique(of_shops(log, [north, south]).users).tolist() == [0, 1, 2]
    with pytest.raises(DataError, match="4 shops were wanted"):
        deal_out(log, 4, seed=0)


def test_more_shops_than_people_are_refused() -> None:
    with pytest.raises(DataError, match="10 people"):
        deal_out(LOG, 11, seed=0)
