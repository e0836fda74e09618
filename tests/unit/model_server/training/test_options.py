"""The recipe follows the data."""

from dataclasses import replace

from app.contracts.catalog import CatalogItem
from app.data.interactions import Dataset
from model_server.training.options import MOST_MEMBERS, SPARSE, TrainingOptions, members_for, options_for
from tests.support.model import dataset_of, interactions_of

SHOP = replace(SPARSE, members=MOST_MEMBERS)


def shop(events_per_item: int) -> Dataset:
    """Ten items and one that nobody touched."""
    rows = [(step % 7, step % 10, step) for step in range(10 * events_per_item)]
    return dataset_of(interactions_of(rows, users=7, items=11))


def nameless(dataset: Dataset) -> Dataset:
    """The same, with nothing known of any item but its id."""
    catalog = tuple(CatalogItem(item_id=item.item_id, title=item.item_id) for item in dataset.catalog)
    return replace(dataset, catalog=catalog)


def test_few_events_an_item_want_the_sparse_recipe() -> None:
    dataset = shop(events_per_item=31)
    assert options_for(dataset.interactions, dataset.catalog) == SHOP


def test_many_events_an_item_want_the_dense_one() -> None:
    dataset = shop(events_per_item=32)
    assert options_for(dataset.interactions, dataset.catalog) == TrainingOptions()


def test_the_larger_the_data_the_fewer_members_and_one_at_least() -> None:
    assert members_for(events=180_000, items=12_000) == 3
    assert members_for(events=300_000, items=18_000) == 2
    assert members_for(events=900_000, items=70_000) == 1
    assert members_for(events=0, items=0) == MOST_MEMBERS


def test_ids_are_not_withheld_where_there_is_no_text_to_speak_for_them() -> None:
    dataset = nameless(shop(events_per_item=5))
    assert options_for(dataset.interactions, dataset.catalog) == replace(SHOP, id_dropout=0.0)


def test_one_text_is_enough_to_be_read() -> None:
    dataset = nameless(shop(events_per_item=5))
    named = (replace_title(dataset.catalog[0]), *dataset.catalog[1:])
    assert options_for(dataset.interactions, named) == SHOP


def replace_title(item: CatalogItem) -> CatalogItem:
    """With a title."""
    return CatalogItem(item_id=item.item_id, title="Green tea")
