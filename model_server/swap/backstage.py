"""What the switch works with, and what it asks of a version."""

from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from app.observability import Metrics
from model_server.registry.champion import Reign
from model_server.registry.find import Load
from model_server.registry.version import ModelVersion
from model_server.swap.guardrails import Rails
from model_server.swap.tally import Tally
from model_server.worker import Scoring


class Performer(Protocol):
    """A version whose tasks run: `model_server.swap.running.Running`."""

    @property
    def scoring(self) -> Scoring:
        """For the worker."""

    @property
    def tally(self) -> Tally:
        """What became of its lists."""

    async def prepare(self, thread: Executor, *, counted: bool) -> None:
        """Return when it can serve; `counted`: when its counts have caught up, too."""

    async def over(self) -> None:
        """Return, or raise, when it can serve no longer."""

    def show(self) -> None:
        """It serves from now on."""

    def hide(self) -> None:
        """It serves no longer."""


@dataclass(frozen=True, slots=True, eq=False)
class Backstage:
    """What the switch works with.

    Args:
        models_dir: with the pointer.
        load: reads and verifies a version.
        start: starts one, put together in this thread; it ends with the block.
        loading: a thread for versions that come.
        scoring: the worker's thread.
        announce: tells Kafka of a champion.
        metrics: the process's.
        rails: what is too much worse.
        clock_ms: wall clock, ms since 1970.
        now_s: a monotonic clock.
    """

    models_dir: Path
    load: Load
    start: Callable[[ModelVersion, Executor], AbstractAsyncContextManager[Performer]]
    loading: Executor
    scoring: Executor
    announce: Callable[[Reign], Awaitable[None]]
    metrics: Metrics
    rails: Rails
    clock_ms: Callable[[], int]
    now_s: Callable[[], float]
