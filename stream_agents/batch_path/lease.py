"""The right to write, bound to the newest heartbeat that the group's coordinator accepted. Pure: time is an argument.

A worker that was stopped (SIGSTOP, long garbage collection, a suspended machine) wakes up believing that it still
owns its partitions. It may not: its session may have ended and another worker taken over. So nothing is written
unless the newest accepted heartbeat is younger than a part of the session timeout. The clock must go on while the
machine is suspended: CLOCK_BOOTTIME.
"""

import time
from collections.abc import Callable

Clock = Callable[[], float]


class LeaseLost(Exception):
    """The worker may no longer own its partitions: what it holds must not be written."""


def boot_time_s() -> float:
    """Seconds since the machine started, suspended time included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Lease:
    """Held while heartbeats are accepted; `clock` in seconds."""

    def __init__(self, lease_s: float, clock: Clock = boot_time_s) -> None:
        self._lease_s = lease_s
        self._clock = clock
        self._renewed_at_s: float | None = None

    def now_s(self) -> float:
        """The lease's clock: take it before a heartbeat is sent, and renew with it when that was accepted."""
        return self._clock()

    def renew(self, sent_at_s: float) -> None:
        """The coordinator accepted a sign of life that was sent then."""
        self._renewed_at_s = sent_at_s

    def drop(self) -> None:
        """The coordinator does not know this member any more."""
        self._renewed_at_s = None

    @property
    def held(self) -> bool:
        """Whether something may be written now."""
        return self._renewed_at_s is not None and self._clock() - self._renewed_at_s < self._lease_s

    def check(self, before: str) -> None:
        """Refuse to go on without the lease.

        Raises:
            LeaseLost: it is not held.
        """
        if not self.held:
            raise LeaseLost(f"no heartbeat was accepted for too long, before {before}")
