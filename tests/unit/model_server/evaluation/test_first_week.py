"""The task `new`: products in their first week of sale, and the lists of a shop that lists and withdraws them."""

from dataclasses import replace

import numpy as np
import pytest

from app.contracts.catalog import CatalogItem
from app.data.interactions import Dataset, Interactions
from app.interests.draft import Bounds
from app.interests.state import Kind
from model_server.evaluation.asking import AS_IT_IS, ask, unchanged
from model_server.evaluation.baselines.popularity import DecayedPopularity
from model_server.evaluation.basket import BasketRequest, basket_plan
from model_server.evaluation.facts import item_facts
from model_server.evaluation.first_week import FirstWeek
from model_server.evaluation.live_version import Surroundings
from model_server.evaluation.served_lists import ServedList, first_list, list_of_new_items
from model_server.evaluation.tally import Answers
from model_server.evaluation.user_states import state_of
from model_server.judging.cases import Recommender
from model_server.judging.questions import Plan
from tests.support.model import DAY_MS, cases_of, dataset_of, interactions_of
from tests.support.planted import WordEncoder, planted_model

HOUR_MS = 3_600_000
TOPICS, OLD, NEW = ("fish", "bird", "rock"), 4, 8
ENCODER = WordEncoder()


def few() -> Dataset:
    """Two customers who had items 0 and 1 before the cut; item 4 is sold a second time on its eighth day."""
    rows = [
        *((0, 0, 0), (1, 1, 1), (0, 1, 20), (1, 0, 23)),
        *((0, 2, 30), (1, 2, 54), (1, 3, 54), (0, 3, 56), (0, 2, 57), (0, 4, 60), (1, 4, 60 + 7 * 24)),
    ]
    return dataset_of(interactions_of([(user, item, hour * HOUR_MS) for user, item, hour in rows], users=2, items=6))


def test_asked_and_allowed_is_what_is_on_the_shelf_and_new_to_the_customer() -> None:
    plan = basket_plan(few(), BasketRequest("new", train_share=0.35, share=1.0))
    (question,) = (step.question for step in plan.steps(9) if step.question)
    assert question.hidden is None
    assert question.allowed is not None
    moments = [round(ts_ms / HOUR_MS) for ts_ms in question.cases.now_ms.tolist()]
    asked = dict(zip(moments, zip(question.relevant, question.allowed, strict=True), strict=True))
    shown = {hour: (right.tolist(), allowed.tolist()) for hour, (right, allowed) in asked.items()}
    assert shown == {
        30: ([2], [2]),
        54: ([2, 3], [2, 3, 4]),  # one visit; 4 is listed from midnight before its first sale on
        56: ([3], [3, 4]),  # 2 is no news to this customer
        60: ([4], [4]),
    }  # and on its eighth day 4 is new no more
    assert plan.groups["sold before"].tolist() == [False, True, True, False]
    assert plan.groups["first sales only"].tolist() == [True, False, False, True]
    assert plan.groups.keys() == {"sold before", "first sales only", "first four weeks"}  # there is no later one


def test_midnight_is_the_shops_own() -> None:
    log = interactions_of([(0, 0, 0), (0, 1, 30 * HOUR_MS)], users=1, items=2)
    at = FirstWeek(dataset_of(log), cut=1).at
    assert [at(hour * HOUR_MS).tolist() for hour in (23, 24, 30, 191, 192)] == [[], [1], [1], [1], []]


def kinds_of_things() -> tuple[Dataset, int]:
    """Nine households of three kinds, and the cut.

    For eight days they buy and buy again what is old of their kind; on the tenth day each thing that is new of it is
    bought once, and a week later they buy what is old again.
    """
    old = [
        (user, topic * OLD + (day + user // 3) % OLD, day * DAY_MS + user * HOUR_MS)
        for day in range(8)
        for user in range(9)
        for topic in [user % 3]
    ]
    new = [
        (3 * (number % 3) + topic, 3 * OLD + topic * NEW + number, 9 * DAY_MS + (3 * number + topic) * 50 * 60_000)
        for number in range(NEW)
        for topic in range(3)
    ]
    late = [(user, (user % 3) * OLD, 17 * DAY_MS + user * HOUR_MS) for user in range(9)]
    log = interactions_of([*old, *new, *late], users=9, items=3 * (OLD + NEW), kind=Kind.PURCHASE)
    titles = [f"{topic} {topic} old{number}" for topic in TOPICS for number in range(OLD)]
    titles += [f"{topic} {topic} new{number}" for topic in TOPICS for number in range(NEW)]
    catalog = tuple(CatalogItem(item_id=each, title=title) for each, title in zip(log.item_ids, titles, strict=True))
    return Dataset("kinds", log, catalog, "sha256 of kinds"), len(old)


def surroundings_of(dataset: Dataset, cut: int) -> Surroundings:
    return Surroundings(dataset.catalog, ENCODER, 14, FirstWeek(dataset, cut))


def answers_of(plan: Plan, recommender: Recommender, dataset: Dataset) -> Answers:
    facts = item_facts(dataset.catalog, plan.training)
    return ask(plan, recommender, facts, {AS_IT_IS: unchanged}, lambda _done, _all: None)[AS_IT_IS]


def test_who_buys_one_kind_of_thing_is_shown_what_is_new_of_it_and_popularity_knows_nothing() -> None:
    dataset, cut = kinds_of_things()
    log = dataset.interactions
    plan = basket_plan(dataset, BasketRequest("new", train_share=cut / len(log), share=1.0))
    assert len(plan.training) == cut
    assert plan.cases == 3 * NEW
    model = planted_model({item.item_id: item.title for item in dataset.catalog[: 3 * OLD]}, ENCODER)
    served = answers_of(plan, list_of_new_items(model, surroundings_of(dataset, cut), plan.training), dataset)
    assert (served.metrics.hr10 == 1).all()
    assert ((served.lists[:, 0] - 3 * OLD) // NEW).tolist() == (served.users % 3).tolist()  # and theirs come first
    page = answers_of(plan, first_list(model, surroundings_of(dataset, cut), plan.training), dataset)
    assert page.metrics.hr10.mean() > 0.2
    popularity = DecayedPopularity(len(dataset.catalog), 14)
    popularity.observe(plan.training)
    counted = answers_of(plan, popularity, dataset)
    assert (counted.metrics.hr10 == 0).all()  # nobody had any of it before


def test_what_happened_before_a_question_is_in_its_popularity() -> None:
    dataset, cut = kinds_of_things()
    log = dataset.interactions
    model = planted_model({item.item_id: item.title for item in dataset.catalog[: 3 * OLD]}, ENCODER)
    popular = ServedList(model, Surroundings(dataset.catalog, ENCODER, 14), log.take(slice(0, cut)), "popular")
    cases = replace(cases_of([log.take(slice(0, 0))]), now_ms=np.array([10 * DAY_MS]))
    first: list[int] = []
    for item in (4, 7, 5):  # each time more often than all that was before
        often = log.take(np.full(1_000 * 10 ** len(first), cut - 1))
        popular.observe(replace(often, items=np.full(len(often), item, np.int32), ts_ms=often.ts_ms + 1))
        first.append(int(popular.scores(cases)[0].argmax()))
    assert first == [4, 7, 5]


@pytest.mark.parametrize("make", [first_list, list_of_new_items])
def test_products_are_listed_on_their_first_day_and_withdrawn_after_their_seventh(make: object) -> None:
    dataset, cut = kinds_of_things()
    log = dataset.interactions
    model = planted_model({item.item_id: item.title for item in dataset.catalog[: 3 * OLD]}, ENCODER)
    lists = make(model, surroundings_of(dataset, cut), log.take(slice(0, cut)))  # type: ignore[operator]  # either of two
    history = log.take(np.flatnonzero(log.users[:cut] == 0))
    new = np.arange(3 * OLD, len(dataset.catalog))
    shown = {}
    for day in (8.9, 9.0, 15.9, 16.0):
        cases = replace(cases_of([history]), now_ms=np.array([int(day * DAY_MS)]))
        shown[day] = int(np.isfinite(lists.scores(cases)[0, new]).sum())
    assert shown[8.9] == shown[16.0] == 0
    assert min(shown[9.0], shown[15.9]) >= 2


def test_a_state_holds_the_newest_whole_and_of_older_ones_a_record_each() -> None:
    log: Interactions = interactions_of([(0, day % 4, day * DAY_MS) for day in range(12)], 1, 4, Kind.PURCHASE)
    assert len(state_of(log, Bounds(max_interactions=9, slack=3)).item_ids()) == 12
    state = state_of(log, Bounds(max_interactions=3, slack=2, max_items=2))
    assert state.item_ids() == ["item-1", "item-2", "item-3"]
    assert {item: each.count for item, each in state.older_items().items()} == {"item-3": 2, "item-0": 3}
    assert state_of(log.take(slice(0, 0)), Bounds()).item_ids() == []
