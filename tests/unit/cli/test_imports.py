"""What takes seconds to import is imported where it is wanted: every command and every child process waits for it."""

import subprocess
import sys

SLOW = ("transformers", "sklearn", "lightgbm", "matplotlib", "optuna", "pandas")
SESSIONS = ("model_server.start", "model_server.training.session", "model_server.evaluation.session",
            "model_server.learning.start")  # fmt: skip


def test_no_session_brings_what_only_some_of_them_want() -> None:
    code = f"import sys, {', '.join(SESSIONS)}; print(*sorted(set(sys.modules) & set({SLOW})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
