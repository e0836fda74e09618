"""`riverrun learn --replay`: the loop along a data set, with real trainings, and what it says in the end."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.integration.test_learner import OPTIONS
from tests.support.process import REPOSITORY, WAIT_S

USERS, ITEMS, STEPS = 60, 30, 20


def test_a_replay_trains_judges_and_compares(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    lines = ["user_id,item_id,ts"]
    for step in range(STEPS):
        lines += [f"u{user},i{(user * 7 + step) % ITEMS if rng.random() > 0.2 else rng.integers(ITEMS)},"
                  f"{1_700_000_000 + step * 1_000 + user}" for user in range(USERS)]  # fmt: skip
    (tmp_path / "walks.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "options.json").write_text(json.dumps(OPTIONS))
    done = subprocess.run(
        [sys.executable, "-m", "app.cli.main", "learn", "--replay", "--data", str(tmp_path / "walks.csv"),
         "--options", str(tmp_path / "options.json"), "--past-share", "0.5", "--after-events", "400",
         "--first-look", "50", "--poison", "--json"],
        cwd=REPOSITORY, env={**os.environ, "RIVERRUN_LEARNING__NICENESS": "0"},
        capture_output=True, text=True, check=False, timeout=2 * WAIT_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3_000:]
    assert "difference" in done.stdout
    line = json.loads(done.stdout.splitlines()[-1])
    assert line["events"] == USERS * STEPS // 2
    assert len(line["champions"]) == 1  # what was poisoned did not take over
    assert line["results"]["frozen"] == line["results"]["learning"]
    assert line["difference"]["ndcg10"] == {"mean": 0, "low": 0, "high": 0}
    assert 1 <= len(line["looks"]) <= 3
    assert line["looks"][0]["events"] == 50
