"""When a ranker's live tables are redone."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import pytest

from model_server.popularity.told import Told, Touch
from model_server.ranking.counter import LiveRanking
from tests.support.model import DAY_MS
from tests.unit.model_server.ranking.test_live import DAYS, live_of, log


class ByHand(Executor):
    """Does what it was given when it is told to."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.jobs.append((future, lambda: fn(*args, **kwargs)))
        return future

    def work(self) -> None:
        for future, job in self.jobs:
            try:
                future.set_result(job())
            except ValueError as error:
                future.set_exception(error)
        self.jobs.clear()


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_news_wait_for_a_while_and_whoever_is_to_be_forgotten_does_not() -> None:
    live, thread, clock = live_of(log()), ByHand(), Clock()
    counter = LiveRanking(live, 60.0, thread, lambda: DAYS * DAY_MS + 5, clock)
    assert counter.count(Told([Touch("a", "item-1", DAYS * DAY_MS + 1), Touch("a", "none", DAYS * DAY_MS + 1)])) == 1
    counter.refresh()
    counter.refresh()
    assert len(thread.jobs) == 1, "one at a time"
    thread.work()
    assert live.waiting == 0
    counter.count(Told([Touch("a", "item-1", DAYS * DAY_MS + 2)]))
    counter.refresh()
    assert not thread.jobs
    counter.count(Told([], forgotten=["a"]))
    counter.refresh()
    thread.work()
    counter.refresh()
    assert not live.urgent
    counter.count(Told([Touch("b", "item-1", DAYS * DAY_MS + 3)]))
    clock.now_s += 61
    counter.refresh()
    counter.refresh()
    assert len(thread.jobs) == 1


def test_what_went_wrong_beside_the_lists_is_not_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    live, thread = live_of(log()), ByHand()

    def broken(_now_ms: int) -> None:
        raise ValueError("broken")

    monkeypatch.setattr(live, "redo", broken)
    counter = LiveRanking(live, 60.0, thread, lambda: 0, Clock())
    counter.refresh()
    thread.work()
    with pytest.raises(ValueError, match="broken"):
        counter.refresh()
