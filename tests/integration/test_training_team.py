"""Two processes that `torchrun` starts learn what one does with the same batches."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.process import REPOSITORY

_ONE = (sys.executable,)
_TWO = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def outcome(launcher: tuple[str, ...]) -> dict[str, Any]:
    done = subprocess.run(
        [*launcher, "-m", "tests.integration.training_main"],
        capture_output=True, text=True, timeout=200, check=False, cwd=REPOSITORY,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_two_processes_reach_the_losses_and_weights_of_one() -> None:
    with ThreadPoolExecutor() as threads:
        one, two = threads.map(outcome, (_ONE, _TWO))
    assert (one["processes"], two["processes"]) == (1, 2)
    for name in ("losses", "weights"):
        assert two["full"][name] == pytest.approx(one["full"][name], abs=1e-3)
    assert two["full"]["losses"][-1] < 0.7 * two["full"]["losses"][0]
    # Everybody draws negatives of its own, so these sums differ; their sparse gradients are shared all the same.
    for found in (one, two):
        assert found["sampled"]["losses"][-1] < 0.8 * found["sampled"]["losses"][0]
