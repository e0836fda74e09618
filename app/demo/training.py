"""The demo's model: trained by `riverrun train`, or the version that an earlier run trained on the same data."""

import json
import subprocess
from collections.abc import Callable

from app.errors import RiverrunError
from app.processes.python import riverrun
from app.settings import Settings


def trained_model(data: str, holdout_events: int, settings: Settings, say: Callable[[str], None]) -> str:
    """The version of a model that has never seen the newest `holdout_events` events; trained now unless there is one.

    A process of its own: torch's memory goes with it. Its progress bar goes to the terminal.

    Raises:
        RiverrunError: the training failed; it has said why.
    """
    say(f"Model: `riverrun train --data {data} --holdout-events {holdout_events} --reuse`")
    command = [
        *riverrun("train", "--data", data, "--holdout-events", str(holdout_events)),
        *("--models-dir", str(settings.scoring.models_dir), "--reuse", "--json"),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603  # our own command
    if done.returncode:
        raise RiverrunError(f"`riverrun train` ended with exit code {done.returncode}; its message stands above.")
    version: str = json.loads(done.stdout.strip().splitlines()[-1])["version"]
    return version
