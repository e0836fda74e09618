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


def outcome(launcher: tuple[str, ...], negatives: int) -> dict[str, Any]:
    done = subprocess.run(
        [*launcher, "-m", "tests.integration.training_main", str(negatives)],
        capture_output=True, text=True, timeout=120, check=False, cwd=REPOSITORY,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_two_processes_reach_the_losses_and_weights_of_one() -> None:
    with ThreadPoolExecutor() as threads:
        one, two = threads.map(lambda launcher: outcome(launcher, 0), (_ONE, _TWO))
    assert (one["processes"], two["processes"]) == (1, 2)
    assert two["losses"] == pytest.approx(one["losses"], abs=1e-4)
    assert two["weights"] == pytest.approx(one["weights"], abs=1e-3)
    assert two["losses"][-1] < 0.7 * two["losses"][0]


def test_sparse_gradients_of_sampled_negatives_are_shared_too() -> None:
    two = outcome(_TWO, 30)
    assert two["losses"][-1] < 0.8 * two["losses"][0]
