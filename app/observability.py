"""What an operator sees of a process: `/metrics`, `/healthz` and `/readyz` on one port, from a thread of its own.

The thread answers also when the process's event loop is stuck, which is when the answer matters: `healthz` and
`readyz` are callables that judge progress, not that a port is open. Metrics are declared in one table per process.
"""

import errno
import json
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from socketserver import ThreadingMixIn
from types import TracebackType
from typing import TypeVar
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, make_wsgi_app

from app.errors import SettingsError

LATENCY_BUCKETS_S = (
    0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
)  # fmt: skip
SIZE_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)


_M = TypeVar("_M", Counter, Gauge, Histogram)


class MetricKind(StrEnum):
    """The Prometheus kinds that riverrun uses."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One row of a process's metric table; base units (seconds, bytes) and `_total` stand in the name."""

    name: str
    kind: MetricKind
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = LATENCY_BUCKETS_S


class Metrics:
    """The metrics of one process: made from its table, kept in a registry of its own."""

    def __init__(self, table: Iterable[MetricSpec]) -> None:
        self.registry = CollectorRegistry()
        self._metrics: dict[str, Counter | Gauge | Histogram] = {}
        for spec in table:
            if spec.kind is MetricKind.HISTOGRAM:
                self._metrics[spec.name] = Histogram(
                    spec.name, spec.meaning, spec.labels, registry=self.registry, buckets=spec.buckets
                )
            else:
                kind = Counter if spec.kind is MetricKind.COUNTER else Gauge
                self._metrics[spec.name] = kind(spec.name, spec.meaning, spec.labels, registry=self.registry)

    def counter(self, spec: MetricSpec, *labels: str) -> Counter:
        """The counter of this row, with its label values in the row's order."""
        return self._child(spec, labels, Counter)

    def gauge(self, spec: MetricSpec, *labels: str) -> Gauge:
        """The gauge of this row."""
        return self._child(spec, labels, Gauge)

    def histogram(self, spec: MetricSpec, *labels: str) -> Histogram:
        """The histogram of this row."""
        return self._child(spec, labels, Histogram)

    def forget(self, spec: MetricSpec, *labels: str) -> None:
        """Show this row with these label values no longer; nothing happens where it was not shown."""
        with suppress(KeyError):
            self._metrics[spec.name].remove(*labels)

    def become(self, other: "Metrics") -> None:
        """Count there from now on: for a part of a process that was not to be seen so far, or is not any more."""
        self._metrics = other._metrics  # noqa: SLF001  # of the same class

    def _child(self, spec: MetricSpec, labels: tuple[str, ...], kind: type[_M]) -> _M:
        metric = self._metrics[spec.name]
        if not isinstance(metric, kind):
            raise TypeError(f"{spec.name} is a {spec.kind}")
        return metric.labels(*labels) if labels else metric


@dataclass(frozen=True, slots=True)
class Status:
    """An answer of `/healthz` or `/readyz`, and why."""

    ok: bool
    why: str


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    # A worker restarted at once finds its port in TIME_WAIT; two live workers on one port still collide.
    allow_reuse_address = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Scrapes are no news."""


class ObservabilityServer:
    """Serves the three paths until closed. `port` is the real one, also where 0 was asked for."""

    def __init__(
        self, port: int, setting: str, registry: CollectorRegistry, *, health: Callable[[], Status],
        ready: Callable[[], Status],
    ) -> None:  # fmt: skip
        """Start serving.

        Args:
            port: where; 0 takes a free one.
            setting: the environment variable that sets the port, for the error message.
            registry: the process's metrics.
            health: is the process making progress? False asks for a restart.
            ready: has it caught up and can do its work?

        Raises:
            SettingsError: the port is in use.
        """
        app = _application(registry, {"/healthz": health, "/readyz": ready})
        try:
            self._server = make_server("0.0.0.0", port, app, _Server, _QuietHandler)  # noqa: S104  # scraped from outside
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            raise SettingsError(
                f"Port {port} is in use or not allowed.", hint=f"Set {setting} to a free one."
            ) from error
        self.port: int = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, name="observability", daemon=True)
        self._thread.start()

    def __enter__(self) -> "ObservabilityServer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


def _application(
    registry: CollectorRegistry, probes: dict[str, Callable[[], Status]]
) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    metrics = make_wsgi_app(registry)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "/")
        if path == "/metrics":
            body: Iterable[bytes] = metrics(environ, start_response)
            return body
        if path not in probes:
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"/metrics, /healthz and /readyz are here\n"]
        status = probes[path]()
        start_response("200 OK" if status.ok else "503 Service Unavailable", [("Content-Type", "application/json")])
        return [json.dumps({"ok": status.ok, "why": status.why}).encode() + b"\n"]

    return application
