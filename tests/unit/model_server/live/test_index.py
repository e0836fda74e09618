"""The live item index."""

from dataclasses import replace

import numpy as np
import torch

from model_server.items.index import ItemIndex
from model_server.items.search import ApproximateSearch, ExactSearch
from model_server.items.view import IndexView, Listing
from model_server.model.network import SequenceNetwork
from model_server.registry.version import trained_items
from tests.support.planted import WordEncoder, planted_model
from tests.support.search import search_for

ENCODER = WordEncoder()
CPU = torch.device("cpu")
TRAINED = {"t1": "red fish", "t2": "blue fish"}


def index_of(max_unlisted: int = 100) -> ItemIndex:
    model = planted_model(TRAINED, ENCODER)
    return ItemIndex(model.network, trained_items(model), CPU, max_unlisted)


def put(index: ItemIndex, **texts: str) -> None:
    index.put([Listing(item_id, text.title()) for item_id, text in texts.items()], ENCODER.encode(list(texts.values())))


def found_new(view: IndexView, text: str) -> list[str]:
    """The new items that somebody finds whose vector is that of this text."""
    assert view.new_items is not None
    query = torch.from_numpy(ENCODER.encode([text]))
    return [view.ids[slot] for slot in search_for(view.new_items, query, [[]], 3)[0].slots]


def sellable(index: ItemIndex) -> set[str]:
    with index.reading() as view:
        shown = {item_id for slot, item_id in enumerate(view.ids) if not view.hidden[slot]}
        assert shown == set(view.sellable)
        return shown


def test_trained_items_have_a_vector_but_are_sold_only_when_the_catalog_lists_them() -> None:
    index = index_of()
    assert sellable(index) == set()
    assert index.counts().known == 2
    put(index, t1="red fish")
    assert sellable(index) == {"t1"}


def test_an_item_that_nobody_touched_before_the_cut_is_new() -> None:
    model = planted_model(TRAINED, ENCODER, popularity={"t1": 2.0})
    index = ItemIndex(model.network, trained_items(model), CPU)
    put(index, **TRAINED)
    with index.reading() as view:
        assert found_new(view, "blue fish") == ["t2"]


def test_a_new_item_is_searchable_by_its_text_and_gone_when_withdrawn() -> None:
    index = index_of()
    put(index, t1="red fish", n1="green bird")
    with index.reading() as view:
        wanted = torch.from_numpy(ENCODER.encode(["green bird"]))
        assert view.ids[int((view.vectors @ wanted[0]).argmax())] == "n1"
        assert found_new(view, "green bird") == ["n1"]
    index.withdraw(["n1", "never heard of"])
    assert sellable(index) == {"t1"}
    assert index.counts().new == 0
    with index.reading() as view:
        assert "n1" in view.position  # users who touched it are still understood


def test_a_changed_text_changes_the_vector_and_a_title_does_not() -> None:
    index = index_of()
    put(index, n1="green bird")
    index.retitle([Listing("n1", "Parrot")])
    with index.reading() as view:
        assert view.titles[view.position["n1"]] == "Parrot"
        before = view.vectors[view.position["n1"]].clone()
    put(index, n1="old stone")
    with index.reading() as view:
        assert not torch.allclose(view.vectors[view.position["n1"]], before)
    assert index.counts().known == 3


def test_what_came_before_the_texts_of_its_lenders_borrows_when_all_are_there() -> None:
    trained = trained_items(planted_model(TRAINED, ENCODER))
    without_texts = replace(trained, texts=np.zeros_like(trained.texts))
    index = ItemIndex(planted_model(TRAINED, ENCODER).network, without_texts, CPU)

    def lent() -> torch.Tensor:
        with index.reading() as view:
            worth = view.tastes.worth.toarray()
            assert isinstance(view.new_items, ExactSearch)
            score = search_for(view.new_items, torch.from_numpy(ENCODER.encode(["red fish"])), [[]], 1)[0].scores[0]
            return torch.tensor([float(score), float(worth[0, view.position["t1"]])])

    put(index, n1="red fish")
    put(index, t1="red fish")
    assert not lent().any()
    index.lend_again()
    score, worth = lent().tolist()
    assert score > 0.9
    assert worth > 0


def test_it_grows_far_beyond_its_first_capacity() -> None:
    index = index_of()
    texts = ENCODER.encode([f"thing {number}" for number in range(5_000)])
    index.put([Listing(f"n{number}", "") for number in range(5_000)], texts)
    index.withdraw(["n4999"])
    with index.reading() as view:
        assert len(view.ids) == len(view.vectors) == 5_002
        assert int((~view.hidden).sum()) == 4_999
        slot = view.position["n4321"]
        np.testing.assert_allclose(view.vectors[slot], texts[4_321], atol=1e-5)


def test_slots_of_items_long_gone_are_used_again() -> None:
    index = index_of(max_unlisted=10)
    for number in range(60):
        put(index, **{f"n{number}": f"thing {number}"})
        index.withdraw([f"n{number}"])
    assert index.counts().known <= 14
    assert index.counts().new == 0
    with index.reading() as view:
        assert {"t1", "t2", "n59"} <= view.position.keys()
        assert all(view.ids[slot] == item_id for item_id, slot in view.position.items())
        wanted = torch.from_numpy(ENCODER.encode(["thing 59"]))
        torch.testing.assert_close(view.vectors[view.position["n59"]], wanted[0])


def test_many_items_are_searched_approximately_and_come_and_go_as_live_as_few() -> None:
    model = planted_model(TRAINED, ENCODER)
    index = ItemIndex(model.network, trained_items(model), CPU, max_unlisted=100, approximate_from=300)

    def found(text: str) -> set[str]:
        query = torch.from_numpy(ENCODER.encode([text]))
        with index.reading() as view:
            return {view.ids[slot] for slot in search_for(view.by_vector, query, [[]], 3)[0].slots}

    def new(size: int) -> set[str]:
        query = torch.from_numpy(ENCODER.encode(["red fish"]))
        with index.reading() as view:
            assert view.new_items is not None
            return {view.ids[slot] for slot in search_for(view.new_items, query, [[]], size)[0].slots}

    for start in range(0, 2_000, 100):
        put(index, **{f"n{number}": f"thing {number}" for number in range(start, start + 100)})
    with index.reading() as view:
        assert isinstance(view.by_vector, ApproximateSearch)
        assert isinstance(view.new_items, ApproximateSearch)
    for number in (3, 299, 300, 1_999):
        assert f"n{number}" in found(f"thing {number}")
    assert len(new(2_000)) == 2_000
    index.withdraw(["n3"])
    assert "n3" not in found("thing 3") | new(2_000)
    put(index, n3="red fish soup")
    assert "n3" in found("red fish soup") & new(2_000)
    put(index, t1="red fish")
    assert "t1" in found("red fish")
    assert "t1" not in new(2_000)  # trained on, so not new

    index.withdraw([f"n{number}" for number in range(1_900)])
    with index.reading() as view:
        assert isinstance(view.by_vector, ExactSearch)
    assert "n1950" in found("thing 1950") & new(100)


def test_the_tower_is_the_networks() -> None:
    assert isinstance(planted_model(TRAINED, ENCODER).network, SequenceNetwork)
