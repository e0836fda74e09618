"""A `riverrun agents` worker under measurement: its probes, its metrics, its memory."""

import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final

import psutil
from prometheus_client.parser import text_string_to_metric_families

from app.bench.program import Program
from app.errors import ProcessFailed

_POLL_S: Final = 0.02
_MB: Final = 1_000_000


class AgentsWorker:
    """Runs inside the `with` block; `state_dir` outlives it. `environment`: settings beside this process's own."""

    def __init__(
        self, bootstrap_servers: str, prefix: str, state_dir: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self._url = f"http://127.0.0.1:{(port := _free_port())}"
        self._program = Program(
            "riverrun agents",
            [
                *(sys.executable, "-m", "app.cli.main", "agents", "--topic-prefix", prefix),
                *("--state-dir", str(state_dir), "--metrics-port", str(port)),
            ],
            {"RIVERRUN_KAFKA__BOOTSTRAP_SERVERS": bootstrap_servers, **(environment or {})},
        )

    def __enter__(self) -> "AgentsWorker":
        self._program.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._program.__exit__(kind, error, trace)

    def is_ready(self) -> bool:
        """Whether partitions are assigned, restored and writable.

        Raises:
            ProcessFailed: it has ended.
        """
        return self._get("/readyz") is not None

    def metrics(self) -> dict[str, float]:
        """Every sample, summed over its labels; empty while it starts.

        Raises:
            ProcessFailed: it has ended.
        """
        samples: dict[str, float] = {}
        for family in text_string_to_metric_families(self._get("/metrics") or ""):
            for sample in family.samples:
                samples[sample.name] = samples.get(sample.name, 0.0) + sample.value
        return samples

    def rss_mb(self) -> float:
        """Resident memory, in millions of bytes."""
        return float(psutil.Process(self._program.pid).memory_info().rss) / _MB

    def cpu_s(self) -> float:
        """Processor time used so far by all its threads, in seconds."""
        used = psutil.Process(self._program.pid).cpu_times()
        return float(used.user + used.system)

    def wait(self, condition: Callable[[], bool], what: str, timeout_s: float) -> None:
        """Wait until the condition holds.

        Raises:
            ProcessFailed: it has ended, or takes longer than `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        while not condition():
            self._program.check()
            if time.monotonic() > deadline:
                raise ProcessFailed(
                    f"riverrun agents was not {what} after {timeout_s:.0f} s. Its last words:\n"
                    f"{self._program.log_tail()}"
                )
            time.sleep(_POLL_S)

    def check(self) -> None:
        """Raise when it has ended.

        Raises:
            ProcessFailed: it has.
        """
        self._program.check()

    def _get(self, path: str) -> str | None:
        """The page; None where the answer is no, or none yet."""
        try:
            with urllib.request.urlopen(self._url + path, timeout=5) as answer:  # noqa: S310  # loopback
                text: str = answer.read().decode()
                return text
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
