import os
import subprocess
import sys

import pytest

from app.bench.cpu import CpuLog, broker_pid, tree_cpu_s

BURN = "import time\nwhile time.process_time() < 0.3: pass\n"


def test_time_used_between_two_moments_is_read_off_between_the_samples() -> None:
    log = CpuLog(1, [(0, 1.0), (1_000, 2.0), (3_000, 8.0)])

    assert log.used_s(500, 2_000) == pytest.approx(3.5)
    assert log.used_s(1_000, 9_000) == pytest.approx(6.0)
    assert CpuLog(1).used_s(0, 1_000) == 0.0


def test_a_tree_s_time_holds_what_its_children_used_before_they_ended() -> None:
    before_s = tree_cpu_s(os.getpid())

    subprocess.run([sys.executable, "-c", BURN], check=True)

    assert tree_cpu_s(os.getpid()) - before_s > 0.25  # told in steps of 0.01


def test_what_has_ended_uses_nothing() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()

    assert tree_cpu_s(ended.pid) == 0.0


@pytest.mark.parametrize("address", ["kafka.example:9092", "127.0.0.1:1"])
def test_a_broker_elsewhere_or_none_is_out_of_sight(address: str) -> None:
    assert broker_pid(address) is None
