"""What the loop works with: its only view of Kafka, of processes and of time."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from app.observability import Metrics
from model_server.learning.gate import Figures
from model_server.learning.snapshot import Extent
from model_server.learning.store import Passing, nothing_happens
from model_server.registry.champion import Reign


class Contest(Struct, frozen=True, kw_only=True):
    """Two versions and the events they are judged on.

    Args:
        data: a folder that was kept (app.data.formats.kept).
        live: the newest events of it, which are predicted.
        champion, challenger: their folders.
        level: of the intervals.
    """

    data: str
    live: int
    champion: str
    challenger: str
    level: float


@dataclass(frozen=True, slots=True, eq=False)
class Workshop:
    """See the module.

    Args:
        folder: the learner's own.
        models_dir: where versions are.
        taken: rows that were ever stored.
        more: returns when there may be more of them, or after a while.
        pause: returns after a while, when what failed is worth another try.
        snapshot: writes rows into a folder; returns how many of them are live.
        train: trains on such a folder, going on where it was killed; returns the version's name.
        judge: compares two versions.
        announce: tells model servers of a champion.
        metrics: the process's.
        clock_ms: wall clock, ms since 1970.
        passing: see `Passing`.
    """

    folder: Path
    models_dir: Path
    taken: Callable[[], int]
    more: Callable[[], Awaitable[None]]
    pause: Callable[[], Awaitable[None]]
    snapshot: Callable[[Path, Extent], Awaitable[int]]
    train: Callable[[Path], Awaitable[str]]
    judge: Callable[[Contest], Awaitable[Figures]]
    announce: Callable[[Reign], Awaitable[None]]
    metrics: Metrics
    clock_ms: Callable[[], int]
    passing: Passing = nothing_happens
