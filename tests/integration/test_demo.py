"""The demo without a screen: the whole product on real people's events, held to what the README promises."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EVENTS = 2_000
RATE = 50  # so that a busy test machine keeps up and the lists on show are fresh


@pytest.mark.timeout(900)  # a machine that has never run it fetches data and trains the model first
def test_the_demo_loses_nothing_and_its_lists_beat_popularity_twice(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "app.cli.main", "demo", "--headless", "--events", str(EVENTS)]
    command += ["--rate", str(RATE), "--json"]
    # A file, not a pipe: a process that the demo left behind would keep a pipe open.
    with (tmp_path / "out").open("w") as out, (tmp_path / "err").open("w") as err:
        done = subprocess.run(command, stdout=out, stderr=err, env=os.environ, check=False)
    assert done.returncode == 0, (tmp_path / "err").read_text()[-4_000:]
    report = json.loads((tmp_path / "out").read_text().splitlines()[-1])

    assert report["events"] == report["accepted"] == EVENTS
    assert (report["rejected"], report["lost"]) == (0, 0)
    assert 0 < report["users_changed"] <= report["recommendations"]
    live = report["live"]
    assert live["events_scored"] > EVENTS // 2
    assert live["hr10"] >= 2 * live["popularity_hr10"] > 0
    assert 0 < live["ndcg10"] < live["hr10"]
    # What is promised is p50 under 50 ms and p99 under 250 ms; four times that leaves room for a busy test machine.
    # The p99 is not held to it: at this rate one pause of the machine for a second and a half is more than a hundredth.
    for freshness in (report["freshness_ms"], report["browser_ms"]):
        assert 0 < freshness["p50"] < 200
        assert freshness["p50"] <= freshness["p95"] < 1_000
        assert freshness["p95"] <= freshness["p99"]
