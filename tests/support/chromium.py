"""A Chromium of the machine, if there is one: the page is tested in a browser, and none is downloaded for it."""

import os
import shutil
from pathlib import Path
from typing import Final

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NO_CHROMIUM: Final = "no Chromium: install it (Debian: apt-get install chromium) or set CHROMIUM to its path"


def find_chromium() -> Path | None:
    """What the variable CHROMIUM names, or the first of the usual names on the path."""
    named = os.environ.get("CHROMIUM")
    found = named or next((path for name in _NAMES if (path := shutil.which(name))), None)
    return None if found is None else Path(found)


def flags() -> list[str]:
    """Chromium refuses to run its sandbox as root, which is what tests in a container are."""
    return ["--no-sandbox"] if os.geteuid() == 0 else []
