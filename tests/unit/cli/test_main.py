"""What a person sees when a command cannot do its work: one line, what to do, and an exit code."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli.main import interrupted


def riverrun(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.cli.main", *arguments],
        cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip


def test_a_wrong_setting_is_one_line_and_an_exit_code(tmp_path: Path) -> None:
    done = riverrun("settings", cwd=tmp_path, RIVERRUN_AGENTS__METRICS_PORT="many")
    assert done.returncode == 2
    assert done.stderr.startswith("riverrun: Wrong setting RIVERRUN_AGENTS__METRICS_PORT")


def test_a_folder_that_cannot_be_written_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "file").touch()  # in the way; permissions would not stop root
    done = riverrun("train", "--reuse", cwd=tmp_path, RIVERRUN_CACHE_DIR=str(tmp_path / "file" / "cache"))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Not a directory" in done.stderr
    assert "RIVERRUN_CACHE_DIR" in done.stderr


@pytest.mark.parametrize("command", ["settings", "--help"])
def test_a_terminal_that_knows_ascii_only_gets_an_answer(command: str, tmp_path: Path) -> None:
    done = riverrun(command, cwd=tmp_path, PYTHONIOENCODING="ascii", COLUMNS="60")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


def test_a_ctrl_c_that_a_half_made_import_turned_into_another_error_is_still_a_ctrl_c() -> None:
    try:
        try:
            raise KeyboardInterrupt
        finally:
            _ = signal.half_made  # type: ignore[attr-defined]  # what torch's lazy imports do on the way out
    except AttributeError as error:
        assert interrupted(error)


def test_an_error_of_our_own_is_no_ctrl_c() -> None:
    try:
        try:
            raise KeyError("count")
        finally:
            _ = signal.half_made  # type: ignore[attr-defined]
    except AttributeError as error:
        assert not interrupted(error)
