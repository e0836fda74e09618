"""The processes of riverrun, started as an operator would start them and watched through their own ports."""

import json
import os
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from app.errors import ProcessFailed
from app.processes.guarded import GuardedProcess, exit_name

_POLL_S: Final = 0.1
_LOG_LINES: Final = 12


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start one process: its name, its command, its settings, and the port of its probes.

    The command is made for a folder of the process's own, which goes with it, also when everything is killed.
    """

    name: str
    arguments: Callable[[Path], tuple[str, ...]]
    environment: Mapping[str, str]
    port: int


class RunningProcess:
    """One process of the pipeline; it ends with this one, however this one ends."""

    def __init__(self, launch: Launch) -> None:
        self.name = launch.name
        self.port = launch.port
        self._folder = Path(tempfile.mkdtemp(prefix=f"riverrun-{launch.name}-"))
        self._guard = GuardedProcess(
            [sys.executable, "-m", "app.cli.main", *launch.arguments(self._folder)],
            self._folder,
            environment={**os.environ, **launch.environment},
        )

    def __enter__(self) -> "RunningProcess":
        self._guard.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._guard.stop()
        finally:
            self._guard.close()

    def is_ready(self) -> bool:
        """Ask `/readyz`.

        Raises:
            ProcessFailed: the process has ended; with the end of its log.
        """
        self.check()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2):  # loopback
                return True
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return False

    def why_not_ready(self) -> str:
        """What `/readyz` says is missing."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2):  # loopback
                return ""
        except urllib.error.HTTPError as error:
            with error:
                return str(json.loads(error.read())["why"])
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return "starting"

    def check(self) -> None:
        """Raise when the process has ended.

        Raises:
            ProcessFailed: it has; with the end of its log.
        """
        code = self._guard.exit_code()
        if code is not None:
            raise ProcessFailed(f"`riverrun {self.name}` ended ({exit_name(code)}). Its last words:\n{self.log_tail()}")

    def log_tail(self) -> str:
        """The last lines it printed."""
        output = self._folder / "output.txt"
        lines = output.read_text(errors="replace").splitlines() if output.exists() else []
        return "\n".join(f"  {line}" for line in lines[-_LOG_LINES:])

    def metrics(self) -> dict[str, float]:
        """Every sample of `/metrics`, summed over its labels; and `name{label="value"}` for each label value."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:  # loopback
            text = answer.read().decode()
        samples: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                names = [sample.name, *(f'{sample.name}{{{key}="{value}"}}' for key, value in sample.labels.items())]
                for name in names:
                    samples[name] = samples.get(name, 0.0) + sample.value
        return samples


class Pipeline:
    """Agents and model server, and a gateway where one is wanted, running inside the `with` block."""

    def __init__(self, agents: Launch, model_server: Launch, gateway: Launch | None = None) -> None:
        self._stack = ExitStack()
        self.agents = RunningProcess(agents)
        self.model_server = RunningProcess(model_server)
        self._all = [self.agents, self.model_server]
        if gateway is not None:
            self._all.append(RunningProcess(gateway))

    def __enter__(self) -> "Pipeline":
        with ExitStack() as stack:  # ends the first when the second cannot be started
            for process in self._all:
                stack.enter_context(process)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def check(self) -> None:
        """Raise when one of them has ended.

        Raises:
            ProcessFailed: it has; with the end of its log.
        """
        for process in self._all:
            process.check()

    def wait_ready(self, timeout_s: float) -> None:
        """Wait until all are ready.

        Raises:
            ProcessFailed: one has ended or takes longer than `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        for process in self._all:
            while not process.is_ready():
                why = process.why_not_ready()
                if time.monotonic() > deadline:
                    raise ProcessFailed(
                        f"`riverrun {process.name}` is not ready after {timeout_s:.0f} s ({why}). "
                        f"Its last words:\n{process.log_tail()}"
                    )
                time.sleep(_POLL_S)
