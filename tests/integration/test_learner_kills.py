"""kill -9 of the learner behind every step: always one champion that loads, and in the end the same as without."""

import json
import subprocess
import sys
from pathlib import Path

from tests.support.process import REPOSITORY, WAIT_S


def test_killed_behind_every_step_it_goes_on_where_it_was(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.learner_kills", str(tmp_path)],
        cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=WAIT_S * 2,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3_000:]
    report = json.loads(done.stdout)
    whole, kills = report["whole"], report["kills"]
    assert len(whole["versions"]) == 2
    assert whole["champion"] == whole["versions"][1]
    assert ["user-7", "item-1"] not in whole["rows"][:140]
    steps = {kill["step"] for kill in kills}
    assert steps >= {
        "segment written", "manifest written", "training written", "snapshot written", "challenger trained",
        "judging written", "judgement written", "promoting written", "champion replaced", "collecting written",
    }  # fmt: skip
    for kill in kills:
        after, end = kill["after"], kill["end"]
        assert after["loads"], kill["step"]
        assert after["champion"] in {None, *whole["versions"]}, kill["step"]
        assert len(after["rows"]) <= after["taken"] <= after["offset"], kill["step"]
        assert end == whole, kill["step"]
