"""What is counted beside the network is of as many items as the network knows."""

import pytest

from model_server.hybrid.counting import count, options_for
from tests.support.model import interactions_of


@pytest.mark.parametrize("items", [1, 200_000, 200_001, 1_000_000])
def test_every_item_has_a_row_and_new_ones_have_room(items: int) -> None:
    assert options_for(items).max_items >= items + items // 4


def test_the_counts_of_a_large_catalogue_are_of_all_of_it() -> None:
    items = 200_001
    counted = count(interactions_of([(0, 0, 1), (0, 5, 2)], users=1, items=10), items)
    snapshot = counted.covisitation.snapshot(items)
    assert len(snapshot.counts) == len(snapshot.pairs.starts) - 1 == items
