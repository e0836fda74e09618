"""New items for people who come back for what reads like them."""

import numpy as np
import pytest
from pytest import MonkeyPatch

from app.interests.state import Interaction, Kind, UserState
from app.surfaces.touches import Touches, history_of, touches_of
from model_server.hybrid.tastes import tasted
from model_server.items.tastes import Tastes
from tests.support.states import state_of

NUMBERS = {"milk": 0, "bread": 1, "tea": 2}
HOUR_MS = 3_600_000


def table_of(*loans: tuple[int, list[int], list[float]]) -> Tastes:
    """Of new items: slot, lenders, worths."""
    tastes = Tastes(each=len(loans[0][1]))
    for slot, lenders, worth in loans:
        tastes.put([slot], np.array([lenders]), np.array([worth], np.float32))
    return tastes


def had(*items: str, gap_ms: int = HOUR_MS) -> UserState:
    return state_of(*(Interaction(item, Kind.PURCHASE, gap_ms * number) for number, item in enumerate(items, 1)))


def touched(*states: UserState) -> Touches:
    return touches_of([history_of(state) for state in states], NUMBERS)


def worths(tastes: Tastes, *states: UserState) -> dict[tuple[int, int], float]:
    found = tasted(tastes.table(10), touched(*states))
    return {
        (user, item): worth
        for user, item, worth in zip(found.users.tolist(), found.items.tolist(), found.worth.tolist(), strict=True)
    }


def test_what_who_comes_back_takes_speaks_for_what_reads_like_it() -> None:
    tastes = table_of((7, [0, 1], [0.5, 0.25]), (9, [2, 1], [1.0, 0.0]))
    found = worths(tastes, had("milk", "tea", "milk"), had("bread", "tea", "bread", "bread"), had("milk", "tea"))
    assert found == {
        (0, 7): pytest.approx(1.0, rel=0.01),  # milk twice, at half each
        (0, 9): pytest.approx(1.0, rel=0.01),
        (1, 7): pytest.approx(0.75, rel=0.01),
        (1, 9): pytest.approx(1.0, rel=0.01),
    }  # and nothing of the third, who came back for nothing


def test_it_is_silent_where_people_do_not_come_back() -> None:
    tastes = table_of((7, [0, 1, 2], [1.0, 1.0, 1.0]))
    assert not worths(tastes, had("milk", "bread", "tea"), had())
    assert not worths(tastes, had("milk", "milk", gap_ms=60_000))  # looked at twice in a minute: one occasion
    many = [f"item-{number}" for number in range(20)]
    numbers = {item_id: number for number, item_id in enumerate(many)}
    once = touches_of([history_of(had(*many, many[0]))], numbers)  # one of twenty
    assert not len(tasted(tastes.table(20), once).users)


def test_what_is_disliked_does_not_speak() -> None:
    disliked = [Interaction("milk", Kind.DISLIKE, 5 * HOUR_MS)]
    tastes = table_of((7, [0, 1], [1.0, 1.0]))
    state = state_of(*(Interaction("milk", Kind.PURCHASE, HOUR_MS * hour) for hour in (1, 3)), *disliked)
    assert not worths(tastes, state)


def test_the_table_follows_the_catalog() -> None:
    tastes = table_of((7, [0], [1.0]), (8, [0], [0.5]))
    user = had("milk", "milk")
    assert worths(tastes, user).keys() == {(0, 7), (0, 8)}
    tastes.drop([7, 5])
    assert worths(tastes, user).keys() == {(0, 8)}
    tastes.put([8], np.array([[1]]), np.array([[1.0]], np.float32))  # another text
    assert not worths(tastes, user)
    tastes.drop([8])
    assert not worths(tastes, user)


def test_only_the_newest_have_a_place(monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setattr("model_server.items.tastes.MOST", 600)
    tastes, user = Tastes(each=1), had("milk", "milk")
    for slot in range(1_000):
        tastes.put([slot], np.array([[0]]), np.array([[1.0]], np.float32))
    tastes.drop(range(500, 990))
    found = tasted(tastes.table(1_000), touched(user))
    assert sorted(found.items.tolist()) == [*range(400, 500), *range(990, 1_000)]
    tastes.put(list(range(1_000)), np.zeros((1_000, 1), np.int64), np.ones((1_000, 1), np.float32))
    assert sorted(tastes.table(1_000).slots.tolist()) == list(range(400, 1_000))


def test_a_batch_is_scored_as_its_users_alone() -> None:
    tastes = table_of((7, [0, 1], [0.5, 0.25]), (9, [2, 1], [1.0, 0.5]))
    users = had("milk", "milk", "tea"), had(), had("tea", "bread", "tea", "bread")
    together = worths(tastes, *users)
    assert together == {
        (number, item): worth for number, user in enumerate(users) for (_, item), worth in worths(tastes, user).items()
    }
