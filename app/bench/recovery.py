"""How long a worker takes to be ready with many users: with its disk, and with nothing but the changelog.

The floor is a bare reader of the same changelog, which keeps nothing. One after the other, in rounds; medians count.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from msgspec import Struct, to_builtins

from app.bench.log import scan
from app.bench.race import WrongResult, bench_topics, new_prefix
from app.bench.seeding import Past, seed_past
from app.bench.worker import agents_worker
from app.kafka.access import KafkaAccess
from app.kafka.resolver import resolve_kafka
from app.kafka.topics import TopicSpec
from app.settings import Settings

_READY_TIMEOUT_S: Final = 300.0
_ROWS: Final = "riverrun_recovery_rows_total"


class RecoveryBench(Struct, frozen=True):
    """One run of the measurement.

    Attributes:
        users_per_s: restored from the changelog, from the first rows seen in the table until ready.
        seconds_from_changelog: from the start of the process to ready, with an empty disk.
        seconds_local_disk: the same when the disk was kept.
        floor_users_per_s: read from the changelog by a bare client that does nothing with them.
        ratio_floor: what share of that a restore reaches.
        row_bytes: of one user's key and state, in the changelog.
    """

    users_per_s: float
    floor_users_per_s: float
    ratio_floor: float
    seconds_local_disk: float
    seconds_from_changelog: float
    users: int
    row_bytes: int
    rounds: int
    seed: int

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        values: dict[str, Any] = to_builtins(self)
        return values


@dataclass(frozen=True, slots=True)
class Start:
    """One start of a worker: seconds to ready, rows read from the changelog, and how fast."""

    seconds: float
    rows: int
    rows_per_s: float


@dataclass(frozen=True, slots=True)
class Restored:
    """One round: with an empty disk, with the disk kept, and by the bare reader."""

    empty: Start
    kept: Start
    floor_rows_per_s: float


def measure_recovery(settings: Settings, past: Past, rounds: int, say: Callable[[str], None]) -> RecoveryBench:
    """Fill a changelog, then start a worker twice in each round.

    Raises:
        RiverrunError: something is missing or the worker failed.
        WrongResult: not every user was restored.
    """
    prefix = new_prefix()
    restored: list[Restored] = []
    with resolve_kafka(settings, say) as kafka, bench_topics(kafka.access, prefix) as topics:
        say(f"Kafka: {kafka.why}")
        row_bytes = seed_past(kafka.access, topics, past).row_bytes
        say(f"{past.users:,} users are in the changelog, {row_bytes} bytes each")
        for _ in range(rounds):
            with tempfile.TemporaryDirectory(prefix="riverrun-bench-") as scratch:
                empty = _start(kafka.access, prefix, Path(scratch) / "state")
                say(f"from the changelog: ready after {empty.seconds:.1f} s, {empty.rows_per_s:,.0f} users/s")
                kept = _start(kafka.access, prefix, Path(scratch) / "state")
                say(f"from the local disk: ready after {kept.seconds:.1f} s")
            floor = _read(kafka.access, topics.interests_changelog, past.users)
            say(f"a bare reader: {floor:,.0f} users/s")
            if empty.rows != past.users or kept.rows:
                raise WrongResult(
                    f"{empty.rows} of {past.users} users were restored; with the disk kept {kept.rows} of them again."
                )
            restored.append(Restored(empty, kept, floor))
    return summarise(restored, past, row_bytes)


def summarise(restored: Sequence[Restored], past: Past, row_bytes: int) -> RecoveryBench:
    """The medians of the rounds."""
    users_per_s = median(each.empty.rows_per_s for each in restored)
    floor = median(each.floor_rows_per_s for each in restored)
    return RecoveryBench(
        users_per_s=round(users_per_s, 1),
        floor_users_per_s=round(floor, 1),
        ratio_floor=round(users_per_s / floor, 3),
        seconds_local_disk=round(median(each.kept.seconds for each in restored), 2),
        seconds_from_changelog=round(median(each.empty.seconds for each in restored), 2),
        users=past.users,
        row_bytes=row_bytes,
        rounds=len(restored),
        seed=past.seed,
    )


def _read(access: KafkaAccess, changelog: TopicSpec, users: int) -> float:
    """Users a second that a bare client reads."""
    started_s = time.monotonic()
    asyncio.run(scan(access, changelog.name, changelog.partitions, lambda _partition, _records: None))
    return users / (time.monotonic() - started_s)


def _start(access: KafkaAccess, prefix: str, state_dir: Path) -> Start:
    started_s = time.monotonic()
    first_s, first_rows = 0.0, 0

    def ready() -> bool:
        """Also notes when the first rows were in; asks for metrics only until then, as they cost the worker time."""
        nonlocal first_s, first_rows
        if not first_rows:
            first_rows = int(worker.metrics().get(_ROWS, 0))
            first_s = time.monotonic()
        return worker.is_ready()

    with agents_worker(access, prefix, state_dir) as worker:
        worker.wait(ready, lambda: "ready", _READY_TIMEOUT_S)
        ready_s = time.monotonic()
        rows = int(worker.metrics().get(_ROWS, 0))
    return Start(ready_s - started_s, rows, (rows - first_rows) / max(ready_s - first_s, 1e-3))
