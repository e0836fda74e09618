"""Training and judging as child processes of low priority: what shoppers wait for goes first, and memory comes back.

They end with the learner, however that ends. A training is `riverrun train` on the kept folder, as a person would run
it: it goes on from its checkpoint, and finds the version it had saved when it was killed just after that.
"""

import asyncio
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from app.errors import ProcessFailed
from app.processes.guarded import GuardedProcess, exit_name
from app.processes.python import module, riverrun
from app.settings import Settings
from model_server.learning.gate import Figures
from model_server.learning.workshop import Contest

_POLL_S: Final = 0.2
_LAST_WORDS: Final = 12

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Manner:
    """How children work.

    Args:
        models_dir: where versions go.
        options: a file with training options; None: those that suit the data.
        encoder: a folder of `riverrun train encoder`; None: texts are read as the pretrained one reads them.
        threads: of each.
        niceness: of each; 19 is what others hardly notice.
    """

    models_dir: Path
    options: Path | None
    encoder: Path | None
    threads: int
    niceness: int


def manner_of(settings: Settings) -> Manner:
    """Of trainings and judgings."""
    learning = settings.learning
    return Manner(settings.scoring.models_dir, learning.options, learning.encoder, learning.threads, learning.niceness)


async def train(data: Path, manner: Manner) -> str:
    """Train on the folder; returns the version's name. Checkpoints lie beside it, and go when it goes.

    Raises:
        ProcessFailed: it did not end well.
    """
    given = {"--options": manner.options, "--encoder": manner.encoder}
    chosen = [word for option, path in given.items() if path is not None for word in (option, str(path))]
    command = riverrun(
        "train", "--data", str(data), "--holdout-events", "0", "--reuse", "--json",
        "--models-dir", str(manner.models_dir), "--checkpoints", f"{data}.checkpoints",
        "--threads", str(manner.threads), *chosen,
    )  # fmt: skip
    return await _run("The training", command, manner, lambda line: str(json.loads(line)["version"]))


async def judge(contest: Contest, manner: Manner) -> Figures:
    """Compare two versions.

    Raises:
        ProcessFailed: it did not end well.
    """
    request = msgspec.json.encode(contest).decode()
    command = module("model_server.learning.judging", request, str(manner.threads))
    return await _run("The judging", command, manner, lambda line: msgspec.json.decode(line, type=Figures))


def step_back(process: int, niceness: int) -> None:
    """Give a process at least this niceness; one that began higher stays there, as only root may lower it."""
    os.setpriority(os.PRIO_PROCESS, process, max(niceness, os.getpriority(os.PRIO_PROCESS, process)))


def answer(title: str, lines: Sequence[str], read: Callable[[str], T]) -> T:
    """What a child ended with: the last line of JSON among those it said; others may say something after it.

    Raises:
        ProcessFailed: there is none, or it is something else.
    """
    line = next((line for line in reversed(lines) if line.startswith("{")), "")
    try:
        return read(line)
    except (msgspec.DecodeError, ValueError, KeyError) as error:
        raise ProcessFailed(f"{title} gave no answer ({error}). {_last_words(lines)}") from error


async def _run(title: str, command: list[str], manner: Manner, read: Callable[[str], T]) -> T:
    """Run this command; what it ended with."""
    folder = Path(tempfile.mkdtemp(prefix="riverrun-learning-"))
    environment: Mapping[str, str] = {**os.environ, "OMP_NUM_THREADS": str(manner.threads or "")}
    loop = asyncio.get_running_loop()
    guard = GuardedProcess(command, folder, environment=environment)
    try:
        step_back(guard.start(), manner.niceness)
        while (code := guard.exit_code()) is None:  # noqa: ASYNC110  # a process sets no event
            await asyncio.sleep(_POLL_S)
        lines = (folder / "output.txt").read_text(errors="replace").splitlines()
    finally:
        await asyncio.shield(loop.run_in_executor(None, _end, guard))
    if code:
        raise ProcessFailed(f"{title} ended ({exit_name(code)}). {_last_words(lines)}")
    return answer(title, lines, read)


def _last_words(lines: Sequence[str]) -> str:
    words = "\n".join(f"  {line}" for line in lines[-_LAST_WORDS:])
    return f"Its last words:\n{words}"


def _end(guard: GuardedProcess) -> None:
    guard.stop()
    guard.close()
