"""The basket protocol asks what a shop could have known, and no more."""

from dataclasses import replace

import numpy as np
import pytest

from app.data.interactions import Dataset, Interactions
from app.errors import DataError
from model_server.evaluation.basket import BasketRequest, basket_numbers, basket_plan
from model_server.judging.questions import Plan, Question
from tests.support.model import dataset_of, interactions_of

MINUTE_MS = 60_000


def shop() -> Dataset:
    """Two customers, three visits each; customer 2 comes after the cut only."""
    log = interactions_of(
        [
            *((0, item, 100) for item in (1, 2)),
            *((1, item, 200) for item in (3, 4)),
            *((0, item, 300) for item in (1, 5)),
            *((1, item, 400) for item in (3, 6, 7)),
            *((2, item, 450) for item in (1, 2)),
            *((0, item, 500) for item in (2, 8)),
        ],
        users=3,
        items=9,
    )
    return dataset_of(replace(log, ts_ms=log.ts_ms * MINUTE_MS))


def questions(plan: Plan, at_once: int = 8) -> list[Question]:
    return [step.question for step in plan.steps(at_once) if step.question is not None]


def test_every_later_basket_of_a_known_customer_is_asked() -> None:
    plan = basket_plan(shop(), BasketRequest("next", train_share=0.5, share=1.0))
    assert plan.training.items.tolist() == [1, 2, 3, 4, 1, 5]
    (question,) = questions(plan)
    assert [each.tolist() for each in question.relevant] == [[3, 6, 7], [2, 8]]
    assert [history.items.tolist() for history in question.cases.histories] == [[3, 4], [1, 2, 1, 5]]
    assert question.hidden is None


def test_what_happened_between_two_questions_is_observed_once_and_in_order() -> None:
    plan = basket_plan(shop(), BasketRequest("next", train_share=0.5, share=1.0))
    for at_once in (1, 2):
        seen = [item for step in plan.steps(at_once) for item in step.happened.items.tolist()]
        assert seen == [3, 6, 7, 1, 2, 2, 8]


def test_discover_counts_and_shows_only_what_is_new_to_the_customer() -> None:
    (question,) = questions(basket_plan(shop(), BasketRequest("discover", train_share=0.5, share=1.0)))
    assert [each.tolist() for each in question.relevant] == [[6, 7], [8]]
    assert question.hidden is not None
    assert [each.tolist() for each in question.hidden] == [[3, 4], [1, 2, 5]]


def test_a_cart_and_what_is_to_be_guessed_make_up_the_basket() -> None:
    (question,) = questions(basket_plan(shop(), BasketRequest("cart", train_share=0.5, share=1.0)))
    assert question.cases.carts is not None
    baskets = [[3, 6, 7], [2, 8]]
    for cart, relevant, basket in zip(question.cases.carts, question.relevant, baskets, strict=True):
        assert sorted([*cart.tolist(), *relevant.tolist()]) == basket
        assert len(relevant) == len(basket) // 2


def test_a_visit_that_never_ends_leaves_the_cut_where_it_is() -> None:
    robot = [(1, 9, minute) for minute in range(400)]  # under one name, every minute
    people = [(0, minute // 100, minute) for minute in range(0, 400, 100)]
    log = interactions_of(sorted(robot + people, key=lambda row: row[2]), users=2, items=10)
    plan = basket_plan(dataset_of(replace(log, ts_ms=log.ts_ms * MINUTE_MS)), BasketRequest("next", 0.7, share=1.0))
    assert len(plan.training) == 203  # all before the visit at minute 200
    assert [each.tolist() for each in questions(plan)[0].relevant] == [[2], [3]]


def test_a_visit_ends_after_half_an_hour_without_anything() -> None:
    log = interactions_of([(0, 1, 0), (0, 2, 30), (1, 3, 30), (0, 4, 61)], users=2, items=5)
    visits = basket_numbers(replace(log, ts_ms=log.ts_ms * MINUTE_MS))
    assert visits.tolist() == [0, 0, 1, 2]


def test_baskets_that_are_given_count_in_the_place_of_visits() -> None:
    log: Interactions = interactions_of([(0, 1, 0), (1, 2, 0), (0, 3, 0)], users=2, items=5)
    assert basket_numbers(replace(log, baskets=np.array([7, 3, 7], np.int32))).tolist() == [0, 1, 0]


@pytest.mark.parametrize(("task", "word"), [("nxt", "--task nxt"), ("news", "--task news"), ("promotion", "promoted")])
def test_what_cannot_be_asked_is_said(task: str, word: str) -> None:
    with pytest.raises(DataError, match=word):
        basket_plan(shop(), BasketRequest(task))
