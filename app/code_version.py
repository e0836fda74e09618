"""Which code this is."""

import subprocess
from importlib.metadata import version
from pathlib import Path

_TIMEOUT_S = 5.0


def code_version(folder: Path = Path(__file__).parent) -> str:
    """For example `0.1.0+4e408aef91c2`, with `.changed` where files differ from that commit; `0.1.0` without git."""
    installed = version("riverrun")
    # --show-prefix: a riverrun that was installed into some other repository is none of its commits.
    prefix = _git(folder, "rev-parse", "--show-prefix")
    commit = _git(folder, "rev-parse", "--short=12", "HEAD")
    if prefix != f"{folder.name}/" or not commit:
        return installed
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return f"{installed}+{commit}{'.changed' if changed else ''}"


def _git(folder: Path, *arguments: str) -> str:
    """What git says; empty where there is no git, no repository, or none that it trusts."""
    try:
        done = subprocess.run(  # noqa: S603  # our own arguments
            ["git", "-C", str(folder), *arguments],  # noqa: S607  # wherever it is installed
            capture_output=True, text=True, check=False, timeout=_TIMEOUT_S,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
