"""The probes tell the truth, and the watchdog acts on it."""

import asyncio
import threading

from app.observability import Metrics
from model_server.health import EXIT_STUCK, Health, watch
from model_server.lag import measure_lag


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_ready_needs_the_catalog_the_partitions_and_the_broker() -> None:
    health = Health(Clock())
    assert health.ready().why == "reading the catalog"
    health.catalog_ready = True
    assert "assigned" in health.ready().why
    health.assigned = True
    assert health.ready().ok
    health.broker_away = True
    assert not health.ready().ok
    assert health.healthy().ok


def test_lists_that_kafka_refuses_are_no_reason_for_a_restart_whoever_else_gets_an_answer() -> None:
    clock = Clock()
    health = Health(clock)
    health.catalog_ready = health.assigned = health.lists_refused = True
    health.batch_began()
    clock.now_s = 200.0
    health.beat()
    health.broker_away = False  # the lag was measured
    assert health.healthy().ok
    assert not health.ready().ok


class NoPartitions:
    """What a server has that came too many."""

    def assignment(self) -> set[object]:
        return set()


async def test_who_has_no_partition_any_more_is_not_stalled() -> None:
    clock = Clock()
    health = Health(clock)
    health.saw_lag(5, 7)
    health.saw_lag(5, 7)
    measuring = asyncio.create_task(measure_lag(NoPartitions(), health, Metrics(())))
    await asyncio.sleep(0.01)
    measuring.cancel()
    clock.now_s = 200.0
    health.beat()
    assert health.healthy().ok


def test_a_stuck_loop_is_not_healthy() -> None:
    clock = Clock()
    health = Health(clock)
    clock.now_s = 31.0
    assert "event loop" in health.healthy().why
    health.beat()
    assert health.healthy().ok


def test_a_batch_that_does_not_end_is_not_healthy() -> None:
    clock = Clock()
    health = Health(clock)
    health.batch_began()
    clock.now_s = 121.0
    health.beat()
    assert not health.healthy().ok
    health.batch_ended()
    assert health.healthy().ok


def test_lag_without_progress_is_not_healthy_and_lag_with_progress_is() -> None:
    clock = Clock()
    health = Health(clock)
    for step in range(20):
        clock.now_s = 10.0 * step
        health.beat()
        health.saw_lag(500, step)
        assert health.healthy().ok
    for _ in range(8):
        clock.now_s += 10.0
        health.beat()
        health.saw_lag(500, 19)
    assert not health.healthy().ok
    health.saw_lag(0, 19)
    assert health.healthy().ok


def test_the_watchdog_ends_a_stuck_process() -> None:
    clock = Clock()
    health = Health(clock)
    clock.now_s = 1_000.0
    ended: list[int] = []
    watch(health, threading.Event(), ended.append, every_s=0.01).join(10)
    assert ended == [EXIT_STUCK]
