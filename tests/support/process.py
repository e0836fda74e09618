"""One of the project's own processes under test: its log, its pages, and its end."""

import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Self

REPOSITORY: Final = Path(__file__).parents[2]
SESSION_TIMEOUT_MS: Final = 3_000  # a dead worker is replaced soon
WAIT_S: Final = 120.0  # for what comes in seconds: it tells a hang from a busy machine and measures nothing
_PORT: Final = re.compile(r"(?:metrics|probes) on port (\d+)")


class ServiceProcess:
    """A running `riverrun` service.

    Args:
        command: what is run, in the repository.
        bootstrap_servers: of the Kafka that it is told.
        log_file: what it says is appended here.
        environment: settings besides those of the group.
    """

    def __init__(
        self, command: Sequence[str], bootstrap_servers: str, log_file: Path, environment: Mapping[str, str]
    ) -> None:
        group = {
            "RIVERRUN_KAFKA__BOOTSTRAP_SERVERS": bootstrap_servers,
            "RIVERRUN_KAFKA__SESSION_TIMEOUT_MS": str(SESSION_TIMEOUT_MS),
            "RIVERRUN_KAFKA__HEARTBEAT_INTERVAL_MS": str(SESSION_TIMEOUT_MS // 6),
            "RIVERRUN_KAFKA__REQUEST_TIMEOUT_MS": str(int(SESSION_TIMEOUT_MS * 0.4)),
        }
        self._log_file = log_file
        self._log_start = log_file.stat().st_size if log_file.exists() else 0
        with log_file.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env={**os.environ, **group, **environment}, cwd=REPOSITORY
            )

    @property
    def log(self) -> str:
        """What this process has said so far."""
        return self._log_file.read_bytes()[self._log_start :].decode()

    @property
    def address(self) -> str:
        """Of its metrics and probes; empty while it has not said so."""
        port = _PORT.search(self.log)
        return f"http://127.0.0.1:{port[1]}" if port else ""

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of one of its pages; (0, "") while nobody answers."""
        if not self.address:
            return 0, ""
        try:
            with urllib.request.urlopen(f"{self.address}{path}", timeout=2) as answer:  # noqa: S310  # loopback
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels; some of these can be given, as `name{label="value"`."""
        _, page = self.get("/metrics")
        wanted = name if "{" in name else (f"{name} ", f"{name}{{")
        return sum(float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.startswith(wanted))

    def wait_ready(self) -> Self:
        """Wait until `/readyz` says so."""
        self.wait(lambda: self.get("/readyz")[0] == 200, "it was not ready")
        return self

    def wait(self, condition: Callable[[], bool], otherwise: str, timeout_s: float = WAIT_S) -> None:
        """Wait for a condition while the process lives."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            if self.process.poll() is not None:
                raise AssertionError(f"the process ended with {self.process.returncode}:\n{self.log}")
            if time.monotonic() > deadline:
                raise AssertionError(f"{otherwise} within {timeout_s} s:\n{self.log}")
            time.sleep(0.05)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        self.send(signal.SIGTERM)
        return self.ended()

    def ended(self) -> int:
        """Wait until it ends by itself; its exit code."""
        return self.process.wait(WAIT_S)

    def kill(self) -> None:
        """SIGKILL, which also ends a stopped process, and wait until it is gone."""
        self.process.kill()
        self.process.wait()
