"""The measures beyond accuracy against numbers made by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from app.contracts.catalog import CatalogItem
from model_server.evaluation.facts import item_facts
from model_server.evaluation.lists import (
    coverage,
    distance,
    exposure,
    gini,
    mean_where_known,
    miscalibration,
    novelty,
)
from tests.support.model import interactions_of

# Items 0 and 1 are tea, 2 is a cup, 3 is both, 4 is nothing.
CATEGORIES = csr_matrix(np.array([[1.0, 0], [1, 0], [0, 1], [0.5, 0.5], [0, 0]]))


def lists_of(*each: list[int]) -> NDArray[np.int32]:
    return np.array([[*items, *[-1] * (10 - len(items))] for items in each], dtype=np.int32)


def test_exposure_counts_places_and_coverage_the_items_that_have_any() -> None:
    shown = exposure(lists_of([0, 1], [0], []), items=4)
    assert shown.tolist() == [2, 1, 0, 0]
    assert coverage(shown) == 0.5


def test_gini_is_nothing_where_all_are_shown_alike_and_near_one_where_one_is() -> None:
    assert gini(np.array([3, 3, 3, 3])) == 0.0
    assert gini(np.array([0, 0, 0, 8])) == pytest.approx(3 / 4)
    assert gini(np.array([1, 3])) == pytest.approx(1 / 4)
    assert gini(np.zeros(5, dtype=np.int64)) == 0.0


def test_novelty_is_the_mean_of_the_bits() -> None:
    found = novelty(lists_of([0, 1], [2], []), np.array([1.0, 3.0, 5.0]))
    assert found[:2].tolist() == [2.0, 5.0]
    assert np.isnan(found[2])
    assert mean_where_known(found) == 3.5
    assert mean_where_known(np.array([np.nan])) is None


def test_distance_is_the_mean_over_pairs() -> None:
    found = distance(lists_of([0, 1], [0, 2], [0, 1, 2], [0, 3], [0, 4]), CATEGORIES)
    assert found[:4].tolist() == pytest.approx([0.0, 1.0, 2 / 3, 1 - 1 / np.sqrt(2)])
    assert np.isnan(found[4])  # one item with a category is no pair


def test_miscalibration_is_the_divergence_of_the_mixtures() -> None:
    histories = csr_matrix(np.array([[1.0, 1, 0, 0, 0], [1, 0, 1, 0, 0], [1, 0, 1, 0, 0], [0, 0, 0, 0, 1]]))
    found = miscalibration(histories, lists_of([0], [0, 2], [0], [0]), CATEGORIES)
    cup = 0.5 * np.log(0.5 / 0.005)  # the list has tea only: .99 of nothing and .01 of the user's half
    tea = 0.5 * np.log(0.5 / (0.99 + 0.005))
    assert found[:3].tolist() == pytest.approx([0.0, 0.0, cup + tea])
    assert np.isnan(found[3])


def test_facts_are_of_the_catalog_and_the_training_part() -> None:
    log = interactions_of([(0, 0, 1), (0, 0, 2), (1, 0, 3), (2, 1, 4)], users=3, items=3)
    catalog = [
        CatalogItem(item_id="a", title="A", category=("Tea", "Green")),
        CatalogItem(item_id="b", title="B", category=("Tea",)),
        CatalogItem(item_id="c", title="C"),
    ]
    facts = item_facts(catalog, log)
    assert facts.categories is not None
    assert facts.categories.toarray().tolist() == [[0.5, 0.5], [1.0, 0.0], [0.0, 0.0]]
    assert facts.popularity.tolist() == [3, 1, 0]
    # Of three people two had the first item, however often.
    assert facts.information.tolist() == pytest.approx([-np.log2(3 / 4), -np.log2(2 / 4), -np.log2(1 / 4)])
    assert item_facts(catalog[2:], log.take(slice(0, 0))).categories is None
