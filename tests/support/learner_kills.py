"""Kills the learner with SIGKILL behind every step that it takes, one run for each, and lets another one go on.

python -m tests.support.learner_kills FOLDER

Each run is a process of its own (forked, so that torch is imported once). Prints what a run without a kill came to, and
of every step what was found after the kill and in the end.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch

from app.errors import ModelVersionError
from model_server.learning.store import EventStore, nothing_happens
from model_server.registry.champion import champion_of, read_succession
from model_server.registry.folders import finished_versions
from model_server.registry.load import load_version
from tests.support.learner import LearnerOnLog
from tests.support.learning import PLENTY, forget, rows_of, view
from tests.unit.model_server.registry.test_version import a_model

_USERS: Final = 40
_EVENTS: Final = 330


def main(folder: Path) -> None:
    """See the module."""
    torch.set_num_threads(1)
    _in_child(folder / "whole", nothing_happens)
    report: dict[str, Any] = {"whole": _found(folder / "whole"), "kills": []}
    number = 0
    while True:
        place = folder / f"kill-{number}"
        if not _in_child(place, _killed_behind(number, place)):
            break
        after = _found(place)
        _in_child(place, nothing_happens)
        report["kills"].append({"step": (place / "step").read_text(), "after": after, "end": _found(place)})
        number += 1
    sys.stdout.write(json.dumps(report) + "\n")


def _in_child(place: Path, passing: Callable[[str], None]) -> bool:
    """Run the learner until its log ends; returns whether it was killed."""
    child = os.fork()
    if not child:
        log = [view(f"user-{number % _USERS}", f"item-{number % 6}", f"e{number}") for number in range(_EVENTS)]
        log.insert(150, forget("user-7"))  # type: ignore[arg-type]  # another event
        place.mkdir(parents=True, exist_ok=True)
        asyncio.run(LearnerOnLog(place, log, a_model, passing=passing, at_once=40).run())
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    if os.WEXITSTATUS(status):
        sys.exit(f"the learner failed in {place}")
    return False


def _killed_behind(number: int, place: Path) -> Callable[[str], None]:
    passed = [0]

    def passing(step: str) -> None:
        if passed[0] == number:
            (place / "step").write_text(step)
            os.kill(os.getpid(), signal.SIGKILL)
        passed[0] += 1

    return passing


def _found(place: Path) -> dict[str, Any]:
    """The champion, whether it can be loaded, and everything that must be the same in the end."""
    models = place / "models"
    champion = champion_of(models)
    try:
        loads = champion is None or bool(load_version(models / champion, torch.device("cpu")))
    except ModelVersionError:
        loads = False
    store = EventStore(place / "store", PLENTY)
    rows, offset = rows_of(store), store.manifest.offsets.get(0, 0)
    succession = read_succession(models)
    return {
        "champion": champion,
        "loads": loads,
        "before": [] if succession is None else [reign.version for reign in succession.before],
        "versions": [folder.name for folder in finished_versions(models)],
        "rows": rows,
        "offset": offset,
        "taken": store.manifest.taken,
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
