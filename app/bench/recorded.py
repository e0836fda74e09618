"""The recorded figures: infra/bench/recorded.json, which README's tables, the plot and `bench check` come from."""

import os
import platform
from collections.abc import Callable, Sequence
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import msgspec
import psutil
from msgspec import Struct

from app.bench.contestants import peers_folder
from app.bench.suite import Bench, RunBench
from app.errors import DataError

_PACKAGES: Final = ("riverrun", "faust-streaming", "aiokafka", "rocksdict", "torch", "quixstreams")
_GIB: Final = 2**30


class Setting(Struct, frozen=True):
    """Where and when something was measured. `date`: ISO 8601."""

    date: str
    machine: str
    versions: dict[str, str]


class BenchRecord(Struct, frozen=True):
    """One bench. `full`: its figures as printed; `short`: the ratios of its short form, by name."""

    setting: Setting
    full: dict[str, Any]
    short: dict[str, float]


class Recorded(Struct, frozen=True):
    """Every bench that was recorded, by name."""

    benches: dict[str, BenchRecord] = {}


def recorded_path() -> Path:
    """Where the record is kept: beside the peers' programs."""
    return peers_folder() / "recorded.json"


def read_recorded(path: Path) -> Recorded:
    """The record; an empty one where there is none yet.

    Raises:
        DataError: it cannot be read.
    """
    if not path.exists():
        return Recorded()
    try:
        return msgspec.json.decode(path.read_bytes(), type=Recorded)
    except msgspec.DecodeError as error:
        raise DataError(f"{path} is no record of benchmarks: {error}.", hint="Restore it or record anew.") from error


def record(
    path: Path, chosen: Sequence[Bench], setting: Setting, run: RunBench, say: Callable[[str], None]
) -> Recorded:
    """Measure the chosen benches in full and in short, and write each into the record when it is done.

    Raises:
        RiverrunError: one failed; those before it are in the record.
    """
    recorded = read_recorded(path)
    for bench in chosen:
        say(f"{bench.name}, in full")
        full = dict(run(bench.name, bench.full))
        say(f"{bench.name}, in short")
        short = bench.ratios_in(run(bench.name, bench.short))
        recorded = Recorded(recorded.benches | {bench.name: BenchRecord(setting, full, short)})
        _write(path, recorded)
    return recorded


def setting_of(today: date, kafka_version: str) -> Setting:
    """The machine that this runs on, and what is installed on it."""
    memory_gib = round(psutil.virtual_memory().total / _GIB)
    machine = f"{os.cpu_count()} cores ({_processor()}), {memory_gib} GiB, {platform.system()}"
    found = {"Python": platform.python_version(), "Apache Kafka": kafka_version}
    return Setting(today.isoformat(), machine, found | {name: told for name in _PACKAGES if (told := _version(name))})


def _write(path: Path, recorded: Recorded) -> None:
    whole = msgspec.json.format(msgspec.json.encode(recorded, order="sorted"), indent=2) + b"\n"
    scratch = path.with_suffix(".tmp")
    scratch.write_bytes(whole)
    scratch.replace(path)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None  # a peer that is not installed


def _processor() -> str:
    """The processor's name."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
