"""Which model versions there are. Knows no torch: what only looks need not wait for its import."""

import re
from pathlib import Path
from typing import Final

NAME: Final = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")
LOCK: Final = ".lock"
"""In the models folder: held by whoever writes there."""


def finished_versions(models_dir: Path) -> list[Path]:
    """The folders of all finished versions, the oldest first."""
    if not models_dir.is_dir():
        return []
    return sorted(path for path in models_dir.iterdir() if NAME.fullmatch(path.name) and path.is_dir())


def latest_version(models_dir: Path) -> Path | None:
    """The newest finished version's folder; None where there is none."""
    return next(reversed(finished_versions(models_dir)), None)
