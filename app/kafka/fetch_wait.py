"""How long an idle fetch may wait at the broker: short while records come, long when nothing happens.

aiokafka keeps one fetch under way per broker and leaves partitions out of it whose records are still in hand, so a
fetch that waits for idle partitions holds up the busy ones for as long as it waits. Waiting briefly all the time would
cost a tenth of a core for nothing; so the wait follows the traffic. A lone click after a quiet time is answered at
once either way: the waiting fetch covers every partition then.

From some hundred records a second on, a fetch for each of them would keep client and broker busy with asking: then
they gather at the broker for as long as the wait is.
"""

from collections.abc import Callable
from typing import Any, Final

IDLE_WAIT_MS: Final = 100
IDLE_AFTER_S: Final = 2.0
AT_ONCE_BYTES: Final = 1
GATHERED_BYTES: Final = 16_384
GATHER_FROM_PER_S: Final = 300
_LOOK_EVERY_S: Final = 0.25


class FetchWait:
    """The wait of one consumer's fetches.

    Args:
        consumer: an aiokafka consumer, started.
        busy_ms: the wait while records come.
        now_s: a monotonic clock.
    """

    def __init__(self, consumer: Any, busy_ms: int, now_s: Callable[[], float]) -> None:
        self._fetcher = consumer._fetcher  # noqa: SLF001  # aiokafka sets the wait once and for all; its release is pinned
        self._busy_ms = busy_ms
        self._now_s = now_s
        self._busy_until_s = 0.0
        self._window_began_s = now_s()
        self._window_records = 0

    def polled(self, records: int) -> None:
        """Tell how many records the last poll brought; the next fetch waits accordingly."""
        now_s = self._now_s()
        if records:
            self._busy_until_s = now_s + IDLE_AFTER_S
        wait_ms = self._busy_ms if now_s < self._busy_until_s else max(IDLE_WAIT_MS, self._busy_ms)
        self._fetcher._fetch_max_wait_ms = wait_ms  # noqa: SLF001  # as above
        self._window_records += records
        window_s = now_s - self._window_began_s
        if window_s >= _LOOK_EVERY_S:
            gather = self._window_records >= GATHER_FROM_PER_S * window_s
            self._fetcher._fetch_min_bytes = GATHERED_BYTES if gather else AT_ONCE_BYTES  # noqa: SLF001  # as above
            self._window_began_s, self._window_records = now_s, 0
