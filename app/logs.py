"""One readable line per event of interest, on stderr."""

import logging
import sys
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Final

# "stream_agents": mode names a logger after each module with a service of ours; our own lines are "riverrun".
LIBRARIES: Final = (
    "stream_agents",
    "faust",
    "mode",
    "aiokafka",
    "kafka",
    "asyncio",
    "httpx",
    "jgo",
    "docker",
    "testcontainers",
    "uvicorn",
)
FORMAT: Final = "%(asctime)s %(levelname)-7s %(message)s"
REPEAT_AFTER_S: Final = 10.0


class Rarely(logging.Filter):
    """Lets a library say the same thing again only after a while.

    aiokafka would say a hundred times a second that the broker is away.
    """

    def __init__(self, repeat_after_s: float = REPEAT_AFTER_S, now_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._repeat_after_s = repeat_after_s
        self._now_s = now_s
        self._said_s: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this line is worth saying now; told apart by their text before the values are put in."""
        if record.name.partition(".")[0] not in LIBRARIES or record.levelno < logging.WARNING:
            return True
        now_s, text = self._now_s(), str(record.msg)
        if now_s - self._said_s.get(text, -self._repeat_after_s) < self._repeat_after_s:
            return False
        self._said_s[text] = now_s
        return True


class LogLevel(StrEnum):
    """How much is told on stderr; at `debug` the libraries speak, too."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def log_to_stderr(level: LogLevel) -> None:
    """Set logging up, once per process, at its entry point."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(FORMAT, datefmt="%H:%M:%S"))
    handler.addFilter(Rarely())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for library in LIBRARIES:
        logging.getLogger(library).setLevel(logging.DEBUG if level is LogLevel.DEBUG else logging.ERROR)
