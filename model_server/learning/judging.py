"""The child process that compares two versions: `python -m model_server.learning.judging CONTEST THREADS`.

The contest comes as JSON, the figures go to stdout as a line of it.
"""

import sys
from pathlib import Path
from typing import Final

import msgspec
import torch

from app.data.formats.names import Format
from app.data.source import DataSource, open_dataset
from app.errors import RiverrunError
from app.settings import Settings, load_settings
from model_server.learning.gate import Figures
from model_server.learning.judge import Encoding, compare, shown_by, trial_of
from model_server.learning.workshop import Contest
from model_server.registry.load import load_version
from model_server.text.pretrained import text_encoders

_CPU: Final = torch.device("cpu")
_NEWEST: Final = 2_000_000  # events: what is older says nothing of who is here now, and counts have it in the versions


def judged(contest: Contest, settings: Settings) -> Figures:
    """The figures.

    Raises:
        RiverrunError: the events or a version cannot be read.
    """
    source = DataSource(contest.data, Format.KEPT, newest_events=_NEWEST + contest.live)
    dataset = open_dataset(source, settings.cache_dir, _say)
    encoders = text_encoders(settings.cache_dir, _CPU, _say)
    trial = trial_of(dataset, contest.live, Encoding(encoders, settings.scoring.popularity_half_life_days))
    champion, challenger = (
        shown_by(trial, load_version(Path(folder), _CPU).model) for folder in (contest.champion, contest.challenger)
    )
    return compare(trial.facts, champion, challenger, contest.level)


def main(contest: str, threads: str) -> None:
    """Compare, and print."""
    if int(threads):
        torch.set_num_threads(int(threads))
    try:
        figures = judged(msgspec.json.decode(contest, type=Contest), load_settings())
    except RiverrunError as error:
        sys.exit(str(error))
    sys.stdout.write(msgspec.json.encode(figures).decode() + "\n")


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
