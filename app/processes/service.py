"""One of riverrun's own processes, started as an operator would start it and watched through its own port."""

import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
from prometheus_client.parser import text_string_to_metric_families

from app.errors import ProcessFailed
from app.processes.program import Program
from app.processes.python import riverrun

_POLL_S: Final = 0.02
_MB: Final = 1_000_000
_HOST: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start one process: its command's name and options, its settings, and the port of its probes.

    The options are made for a folder of the process's own, which goes with it.
    """

    name: str
    options: Callable[[Path], tuple[str, ...]]
    environment: Mapping[str, str]
    port: int


class Service(Program):
    """See the module; runs inside the `with` block."""

    def __init__(self, launch: Launch) -> None:
        super().__init__(
            f"`riverrun {launch.name}`",
            lambda own: riverrun(launch.name, *launch.options(own)),
            launch.environment,
        )
        self._url = f"http://{_HOST}:{launch.port}"

    def is_ready(self) -> bool:
        """Ask `/readyz`.

        Raises:
            ProcessFailed: the process has ended; with the end of its log.
        """
        self.check()
        return not self._why_not_ready()

    def wait_ready(self, timeout_s: float) -> None:
        """Wait until it is ready.

        Raises:
            ProcessFailed: it has ended or takes longer than `timeout_s`; says what was missing.
        """
        self.wait(self.is_ready, lambda: f"ready ({self._why_not_ready()})", timeout_s)

    def wait(self, condition: Callable[[], bool], what: Callable[[], str], timeout_s: float) -> None:
        """Wait until the condition holds; `what` says what it then is.

        Raises:
            ProcessFailed: it has ended, or takes longer than `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                raise ProcessFailed(
                    f"{self.title} is not {what()} after {timeout_s:.0f} s. Its last words:\n{self.log_tail()}"
                )
            time.sleep(_POLL_S)

    def metrics(self) -> dict[str, float]:
        """Every sample of `/metrics`, summed over its labels; and `name{label="value"}` for each label value.

        Empty while it starts.
        """
        try:
            with urllib.request.urlopen(f"{self._url}/metrics", timeout=5) as answer:  # noqa: S310  # loopback
                text = answer.read().decode()
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return {}
        samples: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                names = [sample.name, *(f'{sample.name}{{{key}="{value}"}}' for key, value in sample.labels.items())]
                for name in names:
                    samples[name] = samples.get(name, 0.0) + sample.value
        return samples

    def rss_mb(self) -> float:
        """Resident memory, in millions of bytes."""
        return float(psutil.Process(self.pid).memory_info().rss) / _MB

    def cpu_s(self) -> float:
        """Processor time used so far by all its threads, in seconds."""
        used = psutil.Process(self.pid).cpu_times()
        return float(used.user + used.system)

    def _why_not_ready(self) -> str:
        """What `/readyz` says is missing; empty when it is ready."""
        try:
            with urllib.request.urlopen(f"{self._url}/readyz", timeout=2):  # noqa: S310  # loopback
                return ""
        except urllib.error.HTTPError as error:
            with error:
                return str(json.loads(error.read())["why"])
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return "starting"


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
    return port
