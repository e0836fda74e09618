"""Processor time of a program under measurement, and of the broker that it makes work.

What a neighbour on the same machine does changes a rate at once and processor time hardly: it is the steadier figure.
"""

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import psutil

_MILLION: Final = 1_000_000
_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")


@dataclass(slots=True)
class CpuLog:
    """How much processor time a process tree had used at what moment; filled by `sample`; mutable.

    Attributes:
        pid: the root of the tree.
        samples: pairs of wall-clock time (ms) and processor time so far (s).
    """

    pid: int
    samples: list[tuple[int, float]] = field(default_factory=list)

    def sample(self) -> None:
        """Note what has been used by now."""
        self.samples.append((time.time_ns() // _MILLION, tree_cpu_s(self.pid)))

    def used_s(self, start_ms: int, end_ms: int) -> float:
        """Seconds used between two moments; straight lines between the samples."""
        if not self.samples:
            return 0.0
        moments, used = zip(*self.samples, strict=True)
        start_s, end_s = np.interp([start_ms, end_ms], moments, used)
        return float(end_s - start_s)


def tree_cpu_s(pid: int) -> float:
    """Processor time of a process and of all below it, those that have ended included; 0 when it is gone."""
    total_s = 0.0
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):  # ended since it was listed
                used = process.cpu_times()
                total_s += used.user + used.system + used.children_user + used.children_system
    return total_s


def broker_pid(bootstrap_servers: str) -> int | None:
    """The Java process that listens at this address; None where it is out of sight (another machine, a container)."""
    host, _, port = bootstrap_servers.split(",", maxsplit=1)[0].rpartition(":")
    if host not in _LOOPBACK:
        return None
    with suppress(psutil.AccessDenied, psutil.NoSuchProcess):
        return next(filter(_is_java, _listeners(int(port))), None)
    return None


def _listeners(port: int) -> Iterable[int]:
    """Who listens at the port, as far as this user may know."""
    for each in psutil.net_connections(kind="tcp"):
        if each.status == psutil.CONN_LISTEN and each.pid and each.laddr and each.laddr.port == port:
            yield each.pid


def _is_java(pid: int) -> bool:
    return "java" in psutil.Process(pid).name()
