"""What `/healthz` and `/readyz` say of the learner. Nobody waits for it, so it is only asked whether it goes on."""

import asyncio
from collections.abc import Callable
from typing import Final

from app.observability import Status

STUCK_S: Final = 1_800.0
"""Events wait while a forgotten user is taken out of every file, or a snapshot is written: minutes for 20 million rows
on a slow disk. A restart would begin that again."""


class Health:
    """How the process is doing.

    Attributes:
        catalog_read: the catalog was read to its end once.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._beat_s = now_s()
        self.catalog_read = asyncio.Event()

    def beat(self) -> None:
        """Events are being followed; also where there are none."""
        self._beat_s = self._now_s()

    def healthy(self) -> Status:
        """Whether the process makes progress; if not, only a restart helps."""
        still_s = self._now_s() - self._beat_s
        if still_s > STUCK_S:
            return Status(False, f"no event was asked for since {still_s:.0f} s")
        return Status(True, "making progress")

    def ready(self) -> Status:
        """Whether there is everything to learn from."""
        if not self.catalog_read.is_set():
            return Status(False, "reading the catalog")
        return Status(True, "learning")
