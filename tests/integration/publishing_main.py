"""Publishes a version again and again, each time in a process that SIGKILL ends before another line.

python -m tests.integration.publishing_main MODELS_DIR

Prints one line of JSON for every time: whether it was killed, and why who is champion after it is. Fails where there is
none, or a version that cannot be loaded.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any, Final

import torch

from model_server.registry.champion import POINTER, Reign, promote, read_succession, settle, take_back
from model_server.registry.folders import finished_versions
from model_server.registry.load import load_version
from model_server.registry.save import save_version
from model_server.registry.version import TrainedModel
from tests.support.planted import WordEncoder, planted_model

TEXTS: Final = {"a": "one", "b": "two"}
_WHERE: Final = ("registry/save.py", "registry/champion.py", "registry/folders.py", "app/files.py")


class KilledAtLine:
    """Kills this process before the n-th line that it runs where versions are published; of a loop the first round."""

    def __init__(self, line: int) -> None:
        self._line = line
        self._seen: set[tuple[int, ...]] = set()

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> "KilledAtLine | None":
        if not frame.f_code.co_filename.endswith(_WHERE):
            return None
        if event == "line":
            self._seen.add(tuple(_lines(frame)))
            if len(self._seen) == self._line:
                os.kill(os.getpid(), signal.SIGKILL)
        return self


def _lines(frame: FrameType | None) -> Iterator[int]:
    """Where this frame is, and those that called it."""
    while frame is not None:
        yield frame.f_lineno
        frame = frame.f_back


def publish(models_dir: Path, model: TrainedModel) -> None:
    """What `riverrun train --promote` does when it has trained."""
    promote(models_dir, save_version(models_dir, model, now_ms=1_800_000_000_000).name, "better", now_ms=2)
    settle(models_dir, now_ms=3)


def withdraw(models_dir: Path, _model: TrainedModel) -> None:
    """What a model server does whose guardrail has tripped."""
    succession = read_succession(models_dir)
    assert succession is not None
    take_back(models_dir, succession.champion, "worse", 4, lambda _name: True)


def standing(models_dir: Path) -> Reign:
    """The champion; every version that can be found must be whole, the champion and the ways back among them."""
    succession = read_succession(models_dir)
    assert succession is not None, "no champion"
    found = {folder.name for folder in finished_versions(models_dir)}
    for name in found | {reign.version for reign in (succession.champion, *succession.before)}:
        load_version(models_dir / name, torch.device("cpu"))
    return succession.champion


def killed_everywhere(models_dir: Path, change: Callable[[Path, TrainedModel], None], model: TrainedModel) -> None:
    """Do it once for every line of it, and once to the end, each time from here."""
    pointer, there = (models_dir / POINTER).read_bytes(), finished_versions(models_dir)
    for line in count(1):
        child = os.fork()
        if child == 0:
            sys.settrace(KilledAtLine(line))
            change(models_dir, model)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status)
        assert killed or status == 0, f"{change.__name__} failed by itself before line {line}"
        said = {"what": change.__name__, "killed": killed, "champion": standing(models_dir).reason}
        sys.stdout.write(json.dumps(said) + "\n")
        if not killed:
            return
        (models_dir / POINTER).write_bytes(pointer)
        for folder in set(finished_versions(models_dir)) - set(there):
            shutil.rmtree(folder)  # what is unfinished stays: the next one has to live with it


def main(models_dir: Path) -> None:
    """Publish, then withdraw what was published."""
    torch.set_num_threads(1)
    first = save_version(models_dir, planted_model({"a": "one"}, WordEncoder()), now_ms=1_700_000_000_000)
    promote(models_dir, first.name, "first", now_ms=1)
    model = planted_model(TEXTS, WordEncoder())
    for change in (publish, withdraw):
        killed_everywhere(models_dir, change, model)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
