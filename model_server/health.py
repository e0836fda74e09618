"""What `/healthz` and `/readyz` say, and the watchdog that ends a process which no longer does its work.

Written by the event loop, read from other threads: single attributes, no lock. Times are monotonic seconds.
A broker that is away is no reason for a restart: the process waits, unready, and goes on when it is back.
"""

import logging
import os
import threading
from collections.abc import Callable
from typing import Final

from app.observability import Status

LOOP_STUCK_S: Final = 30.0
BATCH_STUCK_S: Final = 120.0
NO_PROGRESS_S: Final = 60.0
EXIT_STUCK: Final = 70
LOOK_EVERY_S: Final = 2.0

logger = logging.getLogger(__name__)


class Health:
    """How the process is doing."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._beat_s = now_s()
        self._batch_since_s: float | None = None
        self._stalled_since_s: float | None = None
        self._position = -1
        self.assigned = False
        self.catalog_ready = False
        self.broker_away = False
        self.lists_refused = False  # by a broker that answers, for want of replicas or of a leader

    def beat(self) -> None:
        """The event loop runs."""
        self._beat_s = self._now_s()

    def batch_began(self) -> None:
        """A batch is in hand."""
        self._batch_since_s = self._now_s()

    def batch_ended(self) -> None:
        """No batch is in hand."""
        self._batch_since_s = None

    def saw_lag(self, lag: int, position: int) -> None:
        """The broker says how many requests are unread; `position` grows with every request read."""
        if lag == 0 or position != self._position:
            self._stalled_since_s = None
        elif self._stalled_since_s is None:
            self._stalled_since_s = self._now_s()
        self._position = position

    def healthy(self) -> Status:
        """Whether the process makes progress; if not, only a restart helps."""
        now_s = self._now_s()
        if now_s - self._beat_s > LOOP_STUCK_S:
            return Status(False, f"the event loop has been stuck for {now_s - self._beat_s:.0f} s")
        if self.broker_away or self.lists_refused:
            return Status(True, "waiting for the Kafka broker")
        batch_since_s, stalled_since_s = self._batch_since_s, self._stalled_since_s
        if batch_since_s is not None and now_s - batch_since_s > BATCH_STUCK_S:
            return Status(False, f"one batch has been in hand for {now_s - batch_since_s:.0f} s")
        if stalled_since_s is not None and now_s - stalled_since_s > NO_PROGRESS_S:
            return Status(False, f"requests wait, and none was read for {now_s - stalled_since_s:.0f} s")
        return Status(True, "making progress")

    def ready(self) -> Status:
        """Whether requests are being answered from a complete catalog."""
        if self.broker_away:
            return Status(False, "the Kafka broker does not answer")
        if self.lists_refused:
            return Status(False, "Kafka does not take the lists")
        if not self.catalog_ready:
            return Status(False, "reading the catalog")
        if not self.assigned:
            return Status(False, "no partition of score-requests is assigned")
        return Status(True, "scoring")


def watch(
    health: Health, stop: threading.Event, end: Callable[[int], None] = os._exit, every_s: float = LOOK_EVERY_S
) -> threading.Thread:
    """End the process when it is no longer healthy: offsets stay where they are, and whoever comes next goes on."""

    def look() -> None:
        while not stop.wait(every_s):
            status = health.healthy()
            if not status.ok:
                logger.critical("The model server ends itself: %s.", status.why)
                end(EXIT_STUCK)
                return

    thread = threading.Thread(target=look, name="watchdog", daemon=True)
    thread.start()
    return thread
