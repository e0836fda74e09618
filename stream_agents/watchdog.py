"""Ends the process when the event loop cannot: a stuck loop never gets to its own emergency exit.

A thread of its own asks for the worker's health every second. Seconds in which the whole process stood still
(SIGSTOP, a suspended machine) do not count against it, because the thread stood still with it.
"""

import logging
import os
import threading
from collections.abc import Callable
from typing import Final

from app.observability import Status

log = logging.getLogger("riverrun.agents")

EXIT_CODE: Final = 70
TICK_S: Final = 1.0
UNHEALTHY_TICKS: Final = 15


class Watch:
    """Counts unhealthy ticks in a row. Pure."""

    def __init__(self, unhealthy_ticks: int = UNHEALTHY_TICKS) -> None:
        self._limit = unhealthy_ticks
        self._count = 0

    def tick(self, status: Status) -> str | None:
        """The reason to end the process, once it was unhealthy often enough in a row."""
        self._count = 0 if status.ok else self._count + 1
        return status.why if self._count >= self._limit else None


class Watchdog:
    """The thread; `end` is called with the reason, and does not return in production."""

    def __init__(self, health: Callable[[], Status], end: Callable[[str], None], *, tick_s: float = TICK_S) -> None:
        self._health = health
        self._end = end
        self._tick_s = tick_s
        self._closed = threading.Event()
        self._deadline: threading.Timer | None = None
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self._thread.start()

    def expect_end_within(self, seconds: float) -> None:
        """From now on the process is stopping: it gets this long."""
        self._deadline = threading.Timer(seconds, self._end, [f"it did not stop within {seconds:.0f} s"])
        self._deadline.daemon = True
        self._deadline.start()

    def close(self) -> None:
        """Stop watching."""
        self._closed.set()
        if self._deadline is not None:
            self._deadline.cancel()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        watch = Watch()
        while not self._closed.wait(self._tick_s):
            reason = watch.tick(self._health())
            if reason is not None:
                self._end(reason)
                return


def end_process(reason: str) -> None:
    """Log the reason and leave at once: nothing that could hang runs any more, and nothing unsafe was committed."""
    log.critical("ending this worker: %s", reason)
    logging.shutdown()
    os._exit(EXIT_CODE)
