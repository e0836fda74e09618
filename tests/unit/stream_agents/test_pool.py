"""Several workers under one command live and end together."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.errors import SettingsError
from app.settings import AgentsSettings
from stream_agents.pool import worker_commands

POOL = (
    "import sys; from stream_agents.pool import run_pool; run_pool([[sys.executable, '-c', each] for each in {}], 3.0)"
)
WAITS = "import os, pathlib, time; pathlib.Path({!r}, str(os.getpid())).touch(); time.sleep(60)"
FAILS = "import os, sys, time\nwhile not os.listdir({!r}): time.sleep(0.01)\nsys.exit(7)"  # once the other one is there
HANGS_S = 30.0
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + WAITS


def pool(*programs: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", POOL.format(list(programs))], stderr=subprocess.PIPE, text=True)


def started(folder: Path, count: int) -> list[int]:
    deadline = time.monotonic() + HANGS_S
    while len(pids := [int(each.name) for each in folder.iterdir()]) < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return pids


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


def test_each_worker_has_its_own_folder_and_port() -> None:
    commands = worker_commands(AgentsSettings(processes=2, state_dir=Path("/state"), metrics_port=9101), "p-", 4)
    assert [command[command.index("--state-dir") + 1] for command in commands] == ["/state/worker-0", "/state/worker-1"]
    assert [command[command.index("--metrics-port") + 1] for command in commands] == ["9101", "9102"]
    free = worker_commands(AgentsSettings(processes=2, metrics_port=0), "", 2)
    assert {command[command.index("--metrics-port") + 1] for command in free} == {"0"}


def test_more_workers_than_partitions_are_refused() -> None:
    with pytest.raises(SettingsError, match="3 workers cannot share 2 partitions"):
        worker_commands(AgentsSettings(processes=3), "", 2)


def test_sigterm_stops_all(tmp_path: Path) -> None:
    with pool(*[WAITS.format(str(tmp_path))] * 2) as parent:
        pids = started(tmp_path, 2)
        parent.terminate()
        _, words = parent.communicate(timeout=HANGS_S)
    assert "2 of 2 workers did not stop in order: SIGTERM, SIGTERM" in words  # these do not know how to
    assert not any(map(alive, pids))


def test_one_that_fails_takes_the_others_along_and_is_named(tmp_path: Path) -> None:
    with pool(WAITS.format(str(tmp_path)), FAILS.format(str(tmp_path))) as parent:
        (pid,) = started(tmp_path, 1)
        _, words = parent.communicate(timeout=HANGS_S)
    assert parent.returncode == 1
    assert "Worker 1 of 2 ended by itself (exit code 7)" in words
    assert not alive(pid)


def test_one_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    with pool(STUBBORN.format(str(tmp_path))) as parent:
        (pid,) = started(tmp_path, 1)
        parent.terminate()
        parent.communicate(timeout=HANGS_S)
    assert not alive(pid)


def test_workers_do_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    with pool(*[WAITS.format(str(tmp_path))] * 2) as parent:
        pids = started(tmp_path, 2)
        parent.send_signal(signal.SIGKILL)
        parent.communicate(timeout=HANGS_S)
    deadline = time.monotonic() + HANGS_S
    while any(map(alive, pids)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
