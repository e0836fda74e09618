"""Pairs, queries and batches: what is drawn, and what must not count as wrong."""

import numpy as np

from app.contracts.catalog import CatalogItem
from model_server.finetuning.batches import Batches, Sizes
from model_server.finetuning.covisits import count_covisits
from model_server.finetuning.facts import Postings, attributes_of, title_words
from model_server.finetuning.queries import Query, QueryMaker
from model_server.finetuning.universe import choose_items
from model_server.finetuning.validation import cold_cases
from tests.support.model import interactions_of

TEA = CatalogItem(
    item_id="1", title="Green tea no. 5 (1995)", category=("Food", "Tea"), brand="Leaf", attributes={"year": "1995"}
)
POT = CatalogItem(
    item_id="2", title="Tea pot", category=("Kitchen",), attributes={"for": ["tea", "two"], "litres": 1.5}
)


def test_facts_are_categories_brand_attributes_and_decades() -> None:
    assert attributes_of(TEA) == ("food", "tea", "leaf", "1990s")
    assert attributes_of(POT) == ("kitchen", "tea", "two")
    assert title_words(TEA) == ("green", "tea")


def test_postings_answer_with_the_items_of_which_all_holds() -> None:
    postings = Postings([("a", "b"), ("b",), ("a", "b", "c", "b")])
    assert postings.with_all(["a", "b"]).tolist() == [0, 2]
    assert postings.with_all(["c", "a"]).tolist() == [2]


def test_queries_are_about_the_wanted_items_and_never_of_known_facts() -> None:
    catalog = [CatalogItem(item_id=str(n), title=f"thing {'abcdefghij'[n] * 4}", brand="Leaf") for n in range(10)]
    rng = np.random.default_rng(0)
    made = QueryMaker(catalog).make(np.array([3, 4]), 10, rng)
    assert made
    assert {int(answer) for query in made.values() for answer in query.answers} <= {3, 4}
    assert all(set(query.text.split()) == facts for facts, query in made.items())  # no fact here has two words
    assert not QueryMaker(catalog).make(np.array([3]), 10, rng, known=made).keys() & made.keys()


def test_what_goes_together_more_often_than_by_chance_is_drawn() -> None:
    pairs = [(0, 1), (2, 3)]
    rows = [(user, item, step) for user in range(20) for step, item in enumerate(pairs[user % 2])]
    covisits = count_covisits(interactions_of(rows, users=20, items=5))
    firsts, seconds = covisits.draw(50, np.random.default_rng(1))
    assert {(min(pair), max(pair)) for pair in zip(firsts.tolist(), seconds.tolist(), strict=True)} == set(pairs)
    assert covisits.chances[4] == 0


def test_held_out_items_have_no_pairs_and_their_moments_are_asked() -> None:
    rng = np.random.default_rng(2)
    rows = [(user, int(item), step) for user in range(30) for step, item in enumerate(rng.permutation(20)[:10])]
    universe = choose_items(interactions_of(rows, users=30, items=40), 20, 0.25, np.random.default_rng(3))
    cold = np.flatnonzero(universe.cold)
    assert len(universe) == 20
    assert len(cold) == 5
    assert not universe.cold[universe.learnable().items].any()
    assert count_covisits(universe.learnable()).likeness[cold].nnz == 0
    cases = cold_cases(universe, np.random.default_rng(4))
    assert len(cases) > 30
    assert not cases.profiles[:, cold].nnz
    assert cases.profiles.max() == 1.0  # the newest one
    asked = cases.had[np.arange(len(cases)), cases.targets]
    assert not asked.any()


def test_what_fits_as_well_as_the_partner_is_masked() -> None:
    rows = [(user, item, step) for user in range(20) for step, item in enumerate(((0, 1), (2, 3))[user % 2])]
    covisits = count_covisits(interactions_of(rows, users=20, items=6))
    twins = np.array([0, 1, 2, 3, 3, 5])  # items 3 and 4 say the same
    queries = [Query("what", np.array([1, 5]), 1)]
    batches = Batches(covisits, queries, twins, np.arange(5), Sizes(pairs=12, of_queries=4, hard=6))
    nearest = np.tile(np.arange(5), (6, 1))
    batch = batches.draw(nearest, np.random.default_rng(5))
    assert batch.left.tolist()[:4] == [6] * 4  # the query's row
    assert batch.right.tolist()[:4] == [1] * 4  # item 5 is held out
    for left, own, masked in zip(batch.left.tolist(), batch.right.tolist(), batch.also_right, strict=False):
        for right, is_masked in zip(batch.right.tolist(), masked.tolist(), strict=True):
            fits = right == 1 if left == 6 else right in {left, left ^ 1}
            assert is_masked == (fits or twins[right] == twins[own])


def test_nearest_never_names_what_is_held_out() -> None:
    covisits = count_covisits(interactions_of([(0, 0, 1), (0, 1, 2)], users=1, items=4))
    batches = Batches(covisits, [], np.arange(4), np.array([0, 1, 3]), Sizes(2, 0, 1))
    vectors = np.eye(4, dtype=np.float32)
    assert set(np.unique(batches.nearest(vectors)).tolist()) == {0, 1, 3}
