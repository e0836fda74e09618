"""Finding the best items: everything, or by an approximate index."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from model_server.items.approximate import NOTHING, ApproximateIndex
from model_server.items.search import ApproximateSearch, ExactSearch, top
from tests.support.search import Found, search_for

ITEMS, WIDTH, SIZE = 6_400, 16, 10


def clustered(count: int, seed: int) -> Tensor:
    """Vectors of length 1 around a hundred centres, as items of a shop lie."""
    centres = torch.randn(100, WIDTH, generator=torch.Generator().manual_seed(0))
    rng = torch.Generator().manual_seed(seed)
    near = centres[torch.randint(100, (count,), generator=rng)]
    return functional.normalize(near + 0.4 * torch.randn(count, WIDTH, generator=rng), dim=1)


VECTORS, QUERIES = clustered(ITEMS, 1), clustered(40, 2)


def approximate_index(vectors: Tensor = VECTORS) -> ApproximateIndex:
    return ApproximateIndex(np.arange(len(vectors)), vectors.numpy())


def exact_search() -> ExactSearch:
    return ExactSearch(VECTORS, torch.zeros(ITEMS))


def approximate_search() -> ApproximateSearch:
    return ApproximateSearch(approximate_index(), VECTORS, exact_search)


def nothing_hidden(count: int = len(QUERIES)) -> list[list[int]]:
    return [[] for _ in range(count)]


def recall(found: Sequence[Found], true: Sequence[Found]) -> float:
    return float(np.mean([len({*own.slots} & {*wanted.slots}) / SIZE for own, wanted in zip(found, true, strict=True)]))


@pytest.mark.parametrize("columns", [1, 63, 64, 4_095, 4_096, 6_400, 6_401])
def test_the_blockwise_top_is_the_top(columns: int) -> None:
    scores = torch.randn(5, columns, generator=torch.Generator().manual_seed(3))
    scores[2] = float("-inf")
    wanted = scores.topk(min(SIZE, columns), dim=1)
    values, places = top(scores, SIZE)
    assert torch.equal(values, wanted.values)
    real = wanted.values.isfinite()
    assert torch.equal(places[real], wanted.indices[real])


@pytest.mark.parametrize("search", [exact_search(), approximate_search()], ids=["exact", "approximate"])
def test_what_is_hidden_from_a_user_is_not_found_and_the_others_find_it(
    search: ExactSearch | ApproximateSearch,
) -> None:
    open_ = search_for(search, QUERIES, nothing_hidden(), SIZE)
    hidden = [own.slots[:7] if number % 2 else [] for number, own in enumerate(open_)]
    masked = search_for(search, QUERIES, hidden, SIZE)
    for own, before, seen in zip(masked, open_, hidden, strict=True):
        assert len(own.slots) == SIZE
        assert not {*own.slots} & {*seen}
        assert own.slots[: SIZE - len(seen)] == before.slots[len(seen) :]
        assert own.scores == sorted(own.scores, reverse=True)


def test_nobody_finds_what_is_penalised() -> None:
    penalty = torch.zeros(ITEMS)
    penalty[SIZE:] = float("-inf")
    found = search_for(ExactSearch(VECTORS, penalty), QUERIES, nothing_hidden(), 2 * SIZE)
    assert all({*own.slots} == set(range(SIZE)) for own in found)


def test_rows_that_are_not_slots_are_translated() -> None:
    slots = torch.arange(0, ITEMS, 100)
    rows = torch.full((ITEMS,), NOTHING)
    rows[slots] = torch.arange(len(slots))
    search = ExactSearch(VECTORS[slots], torch.zeros(len(slots)), slots, rows)
    found = search_for(search, VECTORS[[500, 700]], [[], [700, 701]], 3)
    assert found[0].slots[0] == 500
    assert 700 not in found[1].slots


def test_the_approximate_search_finds_nearly_everything_with_exact_scores() -> None:
    true = search_for(exact_search(), QUERIES, nothing_hidden(), SIZE)
    found = search_for(approximate_search(), QUERIES, nothing_hidden(), SIZE)
    assert recall(found, true) > 0.97
    for own, wanted in zip(found, true, strict=True):
        score_of = dict(zip(wanted.slots, wanted.scores, strict=True))
        # Exact, not those of the half precision lists; the last decimal is rounded.
        for slot, score in zip(own.slots, own.scores, strict=True):
            assert score == pytest.approx(score_of.get(slot, score), abs=1.1e-4)


def test_who_has_seen_all_that_is_near_still_gets_a_full_list() -> None:
    true = exact_search()
    seen = [own.slots for own in search_for(true, QUERIES[:2], nothing_hidden(2), 5_000)]
    found = search_for(approximate_search(), QUERIES[:2], seen, SIZE)
    assert found == search_for(true, QUERIES[:2], seen, SIZE)


def test_vectors_come_change_and_go_at_once() -> None:
    index = approximate_index()
    index.put(np.array([ITEMS, ITEMS + 1]), QUERIES[:2].numpy())
    assert index.search(QUERIES[:2].numpy(), 1)[:, 0].tolist() == [ITEMS, ITEMS + 1]
    index.put(np.array([ITEMS, ITEMS + 1]), QUERIES[[1, 0]].numpy())
    assert index.search(QUERIES[:2].numpy(), 1)[:, 0].tolist() == [ITEMS + 1, ITEMS]
    index.drop(np.array([ITEMS, ITEMS + 1, 99_999]))
    assert len(index) == ITEMS
    assert not np.isin(index.search(QUERIES[:2].numpy(), 50), [ITEMS, ITEMS + 1]).any()


def test_an_index_that_was_made_for_few_is_outgrown_by_many() -> None:
    index = approximate_index(VECTORS[:200])
    assert not index.outgrown
    index.put(np.arange(200, 1_200), VECTORS[200:1_200].numpy())
    assert index.outgrown
