"""How long a worker takes to be ready with many users: with its disk, and with nothing but the changelog."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, to_builtins

from app.bench.race import WrongResult, bench_topics, new_prefix
from app.bench.seeding import Past, seed_past
from app.bench.worker import AgentsWorker
from app.kafka.resolver import resolve_kafka
from app.settings import Settings

_READY_TIMEOUT_S: Final = 300.0
_ROWS: Final = "riverrun_recovery_rows_total"


class RecoveryBench(Struct, frozen=True):
    """One run of the measurement.

    Attributes:
        users_per_s: restored from the changelog, from the first rows seen in the table until ready.
        seconds_from_changelog: from the start of the process to ready, with an empty disk.
        seconds_local_disk: the same when the disk was kept.
        row_bytes: of one user's key and state, in the changelog.
    """

    users_per_s: float
    seconds_local_disk: float
    seconds_from_changelog: float
    users: int
    row_bytes: int
    seed: int

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        values: dict[str, Any] = to_builtins(self)
        return values


@dataclass(frozen=True, slots=True)
class _Start:
    """One start of a worker: seconds to ready, rows read from the changelog, and how fast."""

    seconds: float
    rows: int
    rows_per_s: float


def measure_recovery(settings: Settings, past: Past, say: Callable[[str], None]) -> RecoveryBench:
    """Fill a changelog, then start a worker twice.

    Raises:
        RiverrunError: something is missing or the worker failed.
        WrongResult: not every user was restored.
    """
    prefix = new_prefix()
    with (
        resolve_kafka(settings, say) as kafka,
        bench_topics(kafka.bootstrap_servers, prefix) as topics,
        tempfile.TemporaryDirectory(prefix="riverrun-bench-") as scratch,
    ):
        say(f"Kafka: {kafka.why}")
        seeded = seed_past(kafka.bootstrap_servers, topics, past)
        say(f"{past.users:,} users are in the changelog, {seeded.row_bytes} bytes each")
        state_dir = Path(scratch) / "state"
        empty = _start(kafka.bootstrap_servers, prefix, state_dir)
        say(f"from the changelog: ready after {empty.seconds:.1f} s, {empty.rows_per_s:,.0f} users/s")
        kept = _start(kafka.bootstrap_servers, prefix, state_dir)
        say(f"from the local disk: ready after {kept.seconds:.1f} s")
    if empty.rows != past.users or kept.rows:
        raise WrongResult(
            f"{empty.rows} of {past.users} users were restored; with the disk kept {kept.rows} of them again."
        )
    return RecoveryBench(
        users_per_s=round(empty.rows_per_s, 1),
        seconds_local_disk=round(kept.seconds, 2),
        seconds_from_changelog=round(empty.seconds, 2),
        users=past.users,
        row_bytes=seeded.row_bytes,
        seed=past.seed,
    )


def _start(bootstrap_servers: str, prefix: str, state_dir: Path) -> _Start:
    started_s = time.monotonic()
    first_s, first_rows = 0.0, 0

    def ready() -> bool:
        """Also notes when the first rows were in; asks for metrics only until then, as they cost the worker time."""
        nonlocal first_s, first_rows
        if not first_rows:
            first_rows = int(worker.metrics().get(_ROWS, 0))
            first_s = time.monotonic()
        return worker.is_ready()

    with AgentsWorker(bootstrap_servers, prefix, state_dir) as worker:
        worker.wait(ready, "ready", _READY_TIMEOUT_S)
        ready_s = time.monotonic()
        rows = int(worker.metrics().get(_ROWS, 0))
    return _Start(ready_s - started_s, rows, (rows - first_rows) / max(ready_s - first_s, 1e-3))
