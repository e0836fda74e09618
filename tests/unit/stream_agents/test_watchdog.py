"""The way out of a stuck process."""

import threading

from app.observability import Status
from stream_agents.watchdog import UNHEALTHY_TICKS, Watchdog


def test_an_unhealthy_process_is_ended_with_the_reason() -> None:
    ended, reasons = threading.Event(), []

    def end(reason: str) -> None:
        reasons.append(reason)
        ended.set()

    watchdog = Watchdog(lambda: Status(False, "the loop is stuck"), end, tick_s=0.001)

    assert ended.wait(UNHEALTHY_TICKS)
    watchdog.close()
    assert reasons == ["the loop is stuck"]


def test_a_stop_that_takes_too_long_is_ended() -> None:
    ended = threading.Event()
    watchdog = Watchdog(lambda: Status(True, ""), lambda _: ended.set())
    watchdog.expect_end_within(0.01)

    assert ended.wait(5)
    watchdog.close()


def test_a_closed_watchdog_ends_nothing() -> None:
    ended: list[str] = []
    watchdog = Watchdog(lambda: Status(True, ""), ended.append)
    watchdog.expect_end_within(1.0)
    watchdog.close()
    threading.Event().wait(1.1)

    assert ended == []
