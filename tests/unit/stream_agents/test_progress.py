"""Healthy, ready, or in need of a restart."""

from dataclasses import replace

from app.observability import Status
from stream_agents.progress import LOOP_STUCK_S, RESTORING_STALLED_S, STALLED_S, Progress, healthy, ready
from stream_agents.watchdog import Watch

BUSY = Progress(
    loop_beat_s=100.0, advanced_s=100.0, looked_s=100.0, serving=frozenset({0}), heads={0: 10}, cursors={0: 4},
    committed={0: 4},
)  # fmt: skip


def test_a_worker_that_gets_on_is_healthy_and_ready() -> None:
    assert healthy(BUSY, 101.0).ok
    assert ready(BUSY).ok
    assert BUSY.lag(0) == 6


def test_a_stuck_loop_is_unhealthy() -> None:
    assert not healthy(BUSY, 100.0 + LOOP_STUCK_S + 1).ok


def test_waiting_events_without_progress_are_unhealthy() -> None:
    now_s = 100.0 + STALLED_S + 1
    stalled = replace(BUSY, loop_beat_s=now_s, looked_s=now_s)

    assert not healthy(stalled, now_s).ok
    assert healthy(replace(stalled, cursors={0: 10}, committed={0: 10}), now_s).ok


def test_commits_that_stop_are_unhealthy() -> None:
    now_s = 100.0 + STALLED_S + 1
    uncommitted = replace(BUSY, loop_beat_s=now_s, looked_s=now_s, cursors={0: 10})

    assert not healthy(uncommitted, now_s).ok


def test_heads_that_nobody_tells_are_unhealthy() -> None:
    now_s = 100.0 + STALLED_S + 1
    blind = replace(BUSY, loop_beat_s=now_s, cursors={0: 10}, committed={0: 10})

    assert not healthy(blind, now_s).ok


def test_waiting_for_kafka_is_healthy_but_not_ready() -> None:
    now_s = 100.0 + STALLED_S + 1
    waiting = replace(BUSY, loop_beat_s=now_s, trouble="KafkaConnectionError: gone")

    assert healthy(waiting, now_s).ok
    assert ready(waiting) == Status(False, "KafkaConnectionError: gone")


def test_a_restoration_that_hangs_is_unhealthy() -> None:
    now_s = 100.0 + RESTORING_STALLED_S + 1
    restoring = Progress(loop_beat_s=now_s, advanced_s=100.0, restoring=True)

    assert not healthy(restoring, now_s).ok
    assert healthy(replace(restoring, advanced_s=now_s - 1), now_s).ok


def test_a_worker_without_partitions_is_healthy_but_not_ready() -> None:
    idle = Progress(loop_beat_s=100.0, advanced_s=0.0)

    assert healthy(idle, 101.0).ok
    assert not ready(idle).ok


def test_the_watch_ends_the_process_only_after_so_many_unhealthy_ticks_in_a_row() -> None:
    watch = Watch(unhealthy_ticks=3)
    ill = Status(False, "stuck")

    assert [watch.tick(status) for status in (ill, ill, Status(True, ""), ill, ill, ill)] == [None] * 5 + ["stuck"]
