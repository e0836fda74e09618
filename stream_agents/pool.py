"""Several workers under one command: Python's answer to the threads of other stream processors.

Each is a whole worker (own consumer, own partitions, own state folder), so nothing is shared but the terminal. One
that fails takes the others down in order: whoever started the command sees one failure and starts all of it again.
"""

import ctypes
import logging
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from types import FrameType
from typing import Final

from app.errors import ProcessFailed, SettingsError
from app.processes.guarded import exit_name
from app.processes.python import riverrun
from app.settings import AgentsSettings

log = logging.getLogger("riverrun.agents")

POLL_S: Final = 0.1
STOP_TIMEOUT_S: Final = 25.0  # longer than a worker gives itself
_PR_SET_PDEATHSIG: Final = 1


def run_pool(commands: Sequence[Sequence[str]], timeout_s: float = STOP_TIMEOUT_S) -> None:
    """Run all of them until SIGTERM or SIGINT, or until one ends.

    Args:
        commands: one program with its arguments each.
        timeout_s: how long they may take to stop; then they are killed.

    Raises:
        ProcessFailed: one ended by itself, or not in order.
    """
    libc = ctypes.CDLL(None)  # loaded here: nothing may be loaded between fork and exec
    parent, told = os.getpid(), []

    def die_with_parent() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before the line above
            os.kill(os.getpid(), signal.SIGTERM)

    def stop(number: int, _frame: FrameType | None) -> None:
        told.append(number)

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, stop)
    workers = [
        subprocess.Popen(command, preexec_fn=die_with_parent)  # noqa: S603, PLW1509  # our own command; one thread
        for command in commands
    ]
    while not told and all(worker.poll() is None for worker in workers):
        time.sleep(POLL_S)
    by_itself = {number: code for number, worker in enumerate(workers) if (code := worker.poll()) is not None}
    codes = _stopped(workers, timeout_s)
    if not told and by_itself:
        number, code = next(iter(by_itself.items()))
        raise ProcessFailed(
            f"Worker {number} of {len(workers)} ended by itself ({exit_name(code)}); the others were stopped.",
            hint="Its own message stands above.",
        )
    failed = [exit_name(code) for code in codes if code]
    if failed:
        raise ProcessFailed(f"{len(failed)} of {len(workers)} workers did not stop in order: {', '.join(failed)}.")


def worker_commands(agents: AgentsSettings, topic_prefix: str, partitions: int) -> list[list[str]]:
    """One worker each: a folder below the state folder, and the ports from the metrics port on (0: free ones).

    Raises:
        SettingsError: some of them would have no partition of the events to serve.
    """
    if agents.processes > partitions:
        raise SettingsError(
            f"{agents.processes} workers cannot share {partitions} partitions of the events.",
            hint=f"Set RIVERRUN_AGENTS__PROCESSES to {partitions} at most.",
        )
    return [
        [
            *riverrun("agents", "--processes", "1"),
            *("--state-dir", str(agents.state_dir / f"worker-{number}")),
            *("--metrics-port", str(agents.metrics_port and agents.metrics_port + number)),
            *("--topic-prefix", topic_prefix),
        ]
        for number in range(agents.processes)
    ]


def _stopped(workers: Sequence[subprocess.Popen[bytes]], timeout_s: float) -> list[int]:
    """Stop all of them at once; their exit codes."""
    for worker in workers:
        worker.terminate()
    deadline_s = time.monotonic() + timeout_s
    for worker in workers:
        try:
            worker.wait(max(0.0, deadline_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.warning("worker with pid %d did not stop within %.0f s; killing it", worker.pid, timeout_s)
            worker.kill()
    return [worker.wait() for worker in workers]
