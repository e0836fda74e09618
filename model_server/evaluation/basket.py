"""BASKET: every later basket of a known customer, predicted from the state just before it.

All baskets lie in global time order; the cut is where the newest basket begins that has begun when the given share of
all lines is over: a visit that never ends, as a robot's, moves it nowhere. Tasks:

`next`: everything in the basket counts, and everything may be shown.
`discover`: only what the customer never had counts, and only such is shown.
`cart`: a seeded random half of the basket lies in the cart, the hidden half (rounded down) counts.
`promotion`: only what is on display or in the mailer in that place and week counts and may be shown.
`new`: only products in their first week of sale (model_server.evaluation.first_week) that the customer never had count
and may be shown. Told apart are baskets with one that somebody had before (`sold before`) and those without, and the
first four weeks after the cut, in which a version is young.

Baskets in which nothing counts are not asked. Where a log has no baskets, one ends where its user did nothing for half
an hour. Ties are the recommender's own affair.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.data.interactions import Dataset, Interactions
from app.data.local_time import MS_PER_DAY
from app.data.shop import Promotions
from app.errors import DataError
from model_server.evaluation.first_week import DAYS, FirstWeek
from model_server.judging.cases import Cases
from model_server.judging.questions import Parameter, Plan, Question, Step
from model_server.ranking.lines import VISIT_GAP_MS

_SMALLEST_CART: Final = 2
_YOUNG_MS: Final = 28 * MS_PER_DAY


class Task(StrEnum):
    """See the module."""

    NEXT = "next"
    DISCOVER = "discover"
    CART = "cart"
    PROMOTION = "promotion"
    NEW = "new"


TASKS: Final = tuple(task.value for task in Task)


@dataclass(frozen=True, slots=True)
class BasketRequest:
    """What is asked.

    Args:
        task: one of `TASKS`.
        train_share: share of the lines before the cut.
        share: share of the later baskets that are asked.
        seed: of the choice of baskets and of what lies in the carts.
    """

    task: str = Task.NEXT
    train_share: float = 0.6
    share: float = 0.25
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """A basket: where its history lies in the log by user, what counts in it, and what else belongs to the task.

    `sold_before`: whether anybody had something of what counts before.
    """

    history: slice
    first_line: int
    relevant: NDArray[np.int32]
    cart: NDArray[np.int32]
    hidden: NDArray[np.int32]
    allowed: NDArray[np.int32] | None
    sold_before: bool


def basket_plan(dataset: Dataset, request: BasketRequest) -> Plan:
    """The plan of one task.

    Raises:
        DataError: there is no such task, or the data set knows no promotions.
    """
    if request.task not in TASKS:
        raise DataError(f"--task {request.task} is not known.", hint=f"One of {', '.join(TASKS)}.")
    return _BasketProtocol(dataset, request).plan()


def basket_numbers(log: Interactions) -> NDArray[np.int64]:
    """(E,) the basket of every interaction, numbered in time order of their first lines.

    A log's own baskets, or visits: a user's interactions of which none is more than half an hour after the one before.
    """
    if log.baskets is not None:
        raw = log.baskets.astype(np.int64)
    else:
        order = np.argsort(log.users, kind="stable")
        starts = np.ones(len(order), np.bool_)
        starts[1:] = (np.diff(log.users[order]) != 0) | (np.diff(log.ts_ms[order]) > VISIT_GAP_MS)
        raw = np.empty(len(order), np.int64)
        raw[order] = np.cumsum(starts)
    _, first, number = np.unique(raw, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[number]


class _BasketProtocol:
    """The log in the two orders that the protocol needs: by basket, and by user."""

    def __init__(self, dataset: Dataset, request: BasketRequest) -> None:
        log = dataset.interactions
        self._dataset, self._request, self._log = dataset, request, log
        self._baskets = basket_numbers(log)
        begun = np.maximum.accumulate(self._baskets)  # the newest basket, at every line
        self._cut = int(np.searchsorted(begun, begun[int(len(log) * request.train_share)]))
        self._lines = np.argsort(self._baskets, kind="stable")
        self._basket_starts = np.searchsorted(self._baskets[self._lines], np.arange(self._baskets.max(initial=-1) + 2))
        # Of one user: first in time, then by basket, so that what is behind a basket's first line is not its history.
        self._by_user = np.lexsort((self._baskets, log.users))
        self._user_starts = np.searchsorted(log.users[self._by_user], np.arange(len(log.user_ids) + 1))
        self._place = np.empty(len(log), np.int64)
        self._place[self._by_user] = np.arange(len(log))
        self._promotions = _promotions(dataset) if request.task == Task.PROMOTION else None
        shop = dataset.shop
        self._weeks = shop.weeks(log.ts_ms) if shop is not None and self._promotions is not None else None
        self._first_week = FirstWeek(dataset, self._cut) if request.task == Task.NEW else None
        self._first_line = np.full(len(log.item_ids), len(log))
        np.minimum.at(self._first_line, log.items, np.arange(len(log)))

    def plan(self) -> Plan:
        log, request = self._log, self._request
        asked = [each for basket in self._chosen().tolist() if (each := self._asked(basket)) is not None]
        ordered = log.take(self._by_user)

        def steps(at_once: int) -> Iterator[Step]:
            starts = [each.first_line for each in asked]
            if starts and starts[0] > self._cut:
                yield Step(None, log.take(slice(self._cut, starts[0])))
            for begin in range(0, len(asked), at_once):
                chosen = asked[begin : begin + at_once]
                until = starts[begin + at_once] if begin + at_once < len(asked) else len(log)
                yield Step(self._question(chosen, ordered), log.take(slice(starts[begin], until)))

        parameters: dict[str, Parameter] = {
            "task": request.task,
            "train_share": request.train_share,
            "share": request.share,
            "sample_seed": request.seed,
            "training_lines": self._cut,
        }
        if self._first_week is not None:
            parameters["new_days"] = DAYS
        groups = self._told_apart(asked) if self._first_week is not None else {}
        return Plan(log.take(slice(0, self._cut)), len(asked), steps, parameters, groups=groups)

    def _told_apart(self, asked: list[_Asked]) -> dict[str, NDArray[np.bool_]]:
        """By the history of what counts, and by the age of what was learned; groups without a basket are left out."""
        before = np.array([each.sold_before for each in asked], np.bool_)
        now_ms = self._log.ts_ms[np.array([each.first_line for each in asked], np.int64)]
        young = now_ms < self._log.ts_ms[self._cut] + _YOUNG_MS
        groups = {"sold before": before, "first sales only": ~before, "first four weeks": young, "later": ~young}
        return {name: which for name, which in groups.items() if which.any()}

    def _chosen(self) -> NDArray[np.int64]:
        """The baskets to ask: a seeded share of those after the cut whose users had one before it."""
        log, first_lines = self._log, self._lines[self._basket_starts[:-1]]
        known = np.zeros(len(log.user_ids), np.bool_)
        known[log.users[: self._cut]] = True
        later = np.flatnonzero((first_lines >= self._cut) & known[log.users[first_lines]])
        if self._request.share >= 1:
            return later
        rng = np.random.default_rng(self._request.seed)
        return np.sort(rng.choice(later, size=int(len(later) * self._request.share), replace=False))

    def _asked(self, basket: int) -> _Asked | None:
        log, task = self._log, self._request.task
        lines = self._lines[self._basket_starts[basket] : self._basket_starts[basket + 1]]
        first_line = int(lines[0])
        items = np.unique(log.items[lines])
        history = slice(int(self._user_starts[log.users[first_line]]), int(self._place[first_line]))
        nothing = items[:0]
        cart, hidden, allowed = nothing, nothing, None
        if task == Task.DISCOVER:
            hidden = np.unique(log.items[self._by_user[history]])
            items = np.setdiff1d(items, hidden)
        elif task == Task.CART:
            if len(items) < _SMALLEST_CART:
                return None
            mixed = np.random.default_rng((self._request.seed, basket)).permutation(items)
            items, cart = np.sort(mixed[: len(items) // 2]), np.sort(mixed[len(items) // 2 :])
            hidden = cart
        elif self._first_week is not None:
            shelf = self._first_week.at(int(log.ts_ms[first_line]))
            allowed = np.setdiff1d(shelf, log.items[self._by_user[history]])
            items = np.intersect1d(items, allowed)
        elif self._promotions is not None and self._weeks is not None and log.places is not None:
            allowed = self._promotions.at(int(log.places[first_line]), int(self._weeks[first_line])).items
            items = np.intersect1d(items, allowed)
        if not len(items):
            return None
        sold_before = bool((self._first_line[items] < first_line).any())
        return _Asked(history, first_line, items, cart, hidden, allowed, sold_before)

    def _question(self, chosen: list[_Asked], ordered: Interactions) -> Question:
        log, task = self._log, self._request.task
        first = np.array([each.first_line for each in chosen])
        cases = Cases(
            histories=[ordered.take(each.history) for each in chosen],
            users=log.users[first].astype(np.int64),
            now_ms=log.ts_ms[first],
            carts=[each.cart for each in chosen] if task == Task.CART else None,
            places=None if log.places is None else log.places[first],
        )
        allowed = [each.allowed for each in chosen if each.allowed is not None]
        return Question(
            cases=cases,
            relevant=[each.relevant for each in chosen],
            hidden=[each.hidden for each in chosen] if task in {Task.DISCOVER, Task.CART} else None,
            allowed=allowed if task in {Task.PROMOTION, Task.NEW} else None,
        )


def _promotions(dataset: Dataset) -> Promotions:
    if dataset.shop is None or dataset.interactions.places is None:
        raise DataError(
            f"{dataset.name} does not say what is promoted where.", hint="The task promotion is for complete-journey."
        )
    return dataset.shop.promotions()
