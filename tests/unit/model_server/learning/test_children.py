"""Children: what is read of what they say, and how far they step back."""

import json
import os
import subprocess

import pytest

from app.errors import ProcessFailed
from model_server.learning.children import answer, step_back


def version_of(line: str) -> str:
    return str(json.loads(line)["version"])


def test_the_answer_is_the_last_line_of_json_whatever_is_said_after_it() -> None:
    lines = ['{"version": "old"}', '{"version": "new", "metrics": {"hr10": NaN}}', "leaked semaphore objects"]
    assert answer("The training", lines, version_of) == "new"


@pytest.mark.parametrize("lines", [[], ["nothing of the kind"], ["{"], ["{}"]])
def test_no_answer_is_a_failure_like_any_other(lines: list[str]) -> None:
    with pytest.raises(ProcessFailed, match="The training gave no answer"):
        answer("The training", lines, version_of)


def test_a_child_of_a_nice_learner_stays_as_nice() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:  # noqa: S607  # of any PATH
        try:
            for asked, become in ((3, 3), (10, 10), (5, 10)):
                step_back(child.pid, asked)
                assert os.getpriority(os.PRIO_PROCESS, child.pid) == become
        finally:
            child.kill()
