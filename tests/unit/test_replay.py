"""A data set as events: what it does not know is not made up."""

from dataclasses import replace

import numpy as np
import pytest

from app.contracts.events import AddToCart, Purchase, Rate, View
from app.data.interactions import Dataset
from app.errors import DataError
from app.interests.state import MAX_ID_LENGTH, Kind
from app.replay import events_of
from tests.support.model import dataset_of, interactions_of


def log_of(kinds: list[Kind], ratings: list[float], quantities: list[float] | None) -> Dataset:
    dataset = dataset_of(interactions_of([(0, 0, step) for step in range(len(kinds))], users=1, items=1))
    interactions = replace(
        dataset.interactions,
        kinds=np.array(kinds, dtype=np.int8),
        ratings=np.array(ratings, dtype=np.float32),
        quantities=None if quantities is None else np.array(quantities, dtype=np.float32),
    )
    return replace(dataset, interactions=interactions)


def ids_of(dataset: Dataset) -> list[str]:
    return [event.event_id for event in events_of(dataset, 0, len(dataset.interactions))]


def test_the_same_data_has_the_same_ids_and_another_file_of_its_name_has_others() -> None:
    dataset = replace(
        log_of([Kind.VIEW, Kind.CLICK], [np.nan] * 2, None), name="clicks.csv", fingerprint="6b86b273" * 8
    )
    assert len(set(ids_of(dataset))) == 2
    assert ids_of(dataset) == ids_of(replace(dataset))
    assert not set(ids_of(dataset)) & set(ids_of(replace(dataset, fingerprint="d4735e3a" * 8)))


def test_the_name_of_a_file_is_never_too_long_for_an_id() -> None:
    dataset = replace(log_of([Kind.VIEW], [np.nan], None), name=250 * "n" + ".csv.gz", fingerprint="6b86b273" * 8)
    assert len(ids_of(dataset)[0]) <= MAX_ID_LENGTH


def test_a_rating_without_stars_is_a_view() -> None:
    rated, seen = events_of(log_of([Kind.RATE, Kind.RATE], [4, np.nan], None), 0, 2)
    assert isinstance(rated, Rate)
    assert rated.rating == 4
    assert isinstance(seen, View)


@pytest.mark.parametrize("stars", [-1.0, 100.0])
def test_stars_that_no_event_may_have_are_refused_before_anything_is_sent(stars: float) -> None:
    with pytest.raises(DataError, match="an event may have 0 to 10"):
        next(events_of(log_of([Kind.VIEW, Kind.RATE], [np.nan, stars], None), 0, 2))


def test_purchases_have_their_quantities_or_one() -> None:
    kinds = [Kind.PURCHASE, Kind.ADD_TO_CART, Kind.PURCHASE]
    events = list(events_of(log_of(kinds, [np.nan] * 3, [3, np.nan, 0]), 0, 3))
    assert [type(event) for event in events] == [Purchase, AddToCart, Purchase]
    assert [event.quantity for event in events if isinstance(event, Purchase | AddToCart)] == [3, 1, 1]
    assert [
        event.quantity for event in events_of(log_of(kinds[:1], [5], None), 0, 1) if isinstance(event, Purchase)
    ] == [1]


def test_an_event_happened_where_the_data_says_or_nowhere() -> None:
    kinds = [Kind.PURCHASE, Kind.VIEW, Kind.RATE]
    dataset = log_of(kinds, [np.nan, np.nan, 4], None)
    assert [event.place for event in events_of(dataset, 0, 3) if isinstance(event, Purchase | View | Rate)] == [
        None
    ] * 3
    places = replace(dataset.interactions, places=np.array([1, -1, 0], np.int32), place_ids=("north", "south"))
    events = events_of(replace(dataset, interactions=places), 0, 3)
    assert [event.place for event in events if isinstance(event, Purchase | View | Rate)] == ["south", None, "north"]
