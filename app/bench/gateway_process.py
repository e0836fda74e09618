"""A gateway under measurement: open to this machine, on ports of the loopback."""

import socket
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from app.bench.program import Program
from app.errors import ProcessFailed
from app.kafka.topics import Topics

_READY_TIMEOUT_S: Final = 60.0
_POLL_S: Final = 0.05
_MAX_STREAMS: Final = 12_000


@dataclass(frozen=True, slots=True)
class RunningGateway:
    """Where it is, and its process."""

    address: str
    program: Program


@contextmanager
def running_gateway(bootstrap_servers: str, topics: Topics) -> Iterator[RunningGateway]:
    """A ready gateway for the length of the block.

    Raises:
        ProcessFailed: it ended, or was not ready in time.
    """
    port, metrics_port = _free_port(), _free_port()
    with tempfile.TemporaryDirectory(prefix="riverrun-gateway-") as state_dir:
        options = ["--port", str(port), "--metrics-port", str(metrics_port), "--state-dir", state_dir]
        prefix = topics.events.name.removesuffix("events")
        program = Program(
            "`riverrun gateway`",
            [sys.executable, "-m", "app.cli.main", "gateway", *options, "--topic-prefix", prefix],
            {
                "RIVERRUN_KAFKA__BOOTSTRAP_SERVERS": bootstrap_servers,
                "RIVERRUN_GATEWAY__HOST": "127.0.0.1",
                "RIVERRUN_GATEWAY__OPEN_ACCESS": "true",
                "RIVERRUN_GATEWAY__MAX_STREAMS": str(_MAX_STREAMS),
            },
        )
        with program:
            gateway = RunningGateway(f"http://127.0.0.1:{port}", program)
            _wait_ready(gateway)
            yield gateway


def _wait_ready(gateway: RunningGateway) -> None:
    deadline = time.monotonic() + _READY_TIMEOUT_S
    while True:
        gateway.program.check()
        try:
            with urllib.request.urlopen(f"{gateway.address}/readyz", timeout=2):  # noqa: S310  # loopback
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            if time.monotonic() > deadline:
                raise ProcessFailed(
                    f"The gateway is not ready after {_READY_TIMEOUT_S:.0f} s:\n{gateway.program.log_tail()}"
                ) from None
            time.sleep(_POLL_S)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
