"""SIGKILL before every line of publishing a version, and of taking one back: one champion, and it can be loaded."""

import json
import subprocess
import sys
from pathlib import Path

from tests.support.process import REPOSITORY, WAIT_S


def test_killed_before_any_line_of_publishing_there_is_one_whole_champion(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.integration.publishing_main", str(tmp_path)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=WAIT_S)
    assert done.returncode == 0, done.stderr
    times = [json.loads(line) for line in done.stdout.splitlines()]
    for what, before, after in (("publish", "first", "better"), ("withdraw", "better", "worse")):
        own = [each for each in times if each["what"] == what]
        assert [each["killed"] for each in own] == [True] * (len(own) - 1) + [False]
        champions = [each["champion"] for each in own]
        assert champions == sorted(champions, key=[before, after].index)  # first the one, from some line on the other
        assert set(champions) == {before, after}
        assert len(own) > 25
