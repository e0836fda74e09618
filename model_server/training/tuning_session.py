"""One run of `riverrun tune`: data, the search with what it says of every trial, the file with the best options."""

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import torch
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console

from app.data.interactions import split_newest
from app.data.source import DataSource, open_dataset
from app.errors import DataError, SettingsError
from app.files import exclusive
from app.settings import Settings
from model_server.device import resolve_device
from model_server.text.pretrained import open_text_encoder
from model_server.training.bar import TrainingBar
from model_server.training.chosen import Choices, with_choices
from model_server.training.loop import Progress
from model_server.training.options import TrainingOptions, options_for
from model_server.training.run import TrainingJob, train_model
from model_server.training.tuning import STORAGE, Search, Tuned
from model_server.training.validation import split_validation

_SECONDS_A_MINUTE: Final = 60
_LEAST_ASKED: Final = 20


@dataclass(frozen=True, slots=True)
class TuningRequest:
    """What the person asked for; see `riverrun tune --help`."""

    source: DataSource
    holdout_events: int
    choices: Choices
    trials: int
    budget_minutes: float
    threads: int
    models_dir: Path
    out: Path
    as_json: bool


def run_tuning(request: TuningRequest, settings: Settings) -> Tuned:
    """Search and write the best options; progress to stderr, the result to stdout.

    Raises:
        DataError: the data cannot be read or is too little, or the budget was over before a trial was.
        SettingsError: the device is not there.
    """
    started = time.perf_counter()
    _check_writable(request.out)
    console = Console(stderr=True, highlight=False)
    if request.threads:
        torch.set_num_threads(request.threads)
    device = resolve_device(settings.scoring.device)
    dataset = open_dataset(request.source, settings.cache_dir, console.print)
    encoder = open_text_encoder(settings.cache_dir, device, console.print)
    part = split_newest(dataset.interactions, request.holdout_events)
    job = TrainingJob(dataset, part.before, len(part.after), settings.scoring.popularity_half_life_days)

    def trained(options: TrainingOptions, on_progress: Callable[[Progress], None]) -> float:
        with ExitStack() as stack:
            bar = TrainingBar(console, stack)

            def told(progress: Progress) -> None:
                bar.on_progress(progress)
                on_progress(progress)

            alone = replace(options, members=1)  # what makes one better makes several better, in a share of the time
            return train_model(job, encoder, alone, device, told, bar.on_texts).metrics["validation_ndcg10"]

    base = with_choices(options_for(part.before, dataset.catalog), request.choices)
    rng = np.random.default_rng(base.seed)
    if (asked := len(split_validation(part.before, base.validation_users, rng).targets)) < _LEAST_ASKED:
        raise DataError(
            f"Only {asked} users have the three events that validation needs: nothing can be chosen by so few.",
            hint=f"At least {_LEAST_ASKED} are wanted.",
        )
    if base.epsilon is not None:
        raise DataError("Every trial would spend a privacy budget of its own.", hint="Leave epsilon out of --options.")
    search = Search(
        models_dir=request.models_dir,
        study=f"{dataset.fingerprint[:16]}, {len(part.after)} held out, from {base}",
        base=base,
        trials=request.trials,
        budget_s=request.budget_minutes * _SECONDS_A_MINUTE,
    )
    with exclusive(request.models_dir / f".{STORAGE}.lock"):
        tuned = search.run(trained, lambda trial: console.print(_described(trial)))
    if tuned is None:
        raise DataError(
            "No trial came to its end.",
            hint="Give more minutes, or see above why they failed; the same command goes on.",
        )
    best = {name: value for name, value in asdict(with_choices(base, tuned.choices)).items() if value is not None}
    try:
        request.out.write_bytes(msgspec.json.format(msgspec.json.encode(best), indent=1))
    finally:
        _report(request, tuned, time.perf_counter() - started)
    return tuned


def _check_writable(out: Path) -> None:
    """Before hours are spent.

    Raises:
        SettingsError: the file cannot be written.
    """
    with suppress(OSError):
        out.parent.mkdir(parents=True, exist_ok=True)
    if out.is_dir() or not os.access(out.parent, os.W_OK):
        raise SettingsError(f"--out {out} cannot be written.", hint="Name another file.")


def _described(trial: FrozenTrial) -> str:
    chosen = ", ".join(f"{name} {_short(value)}" for name, value in trial.params.items())
    if trial.state is TrialState.COMPLETE and trial.value is not None:
        return f"Trial {trial.number}: NDCG@10 {trial.value:.4f} with {chosen}"
    return f"Trial {trial.number}: given up with {chosen}"


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _report(request: TuningRequest, tuned: Tuned, seconds: float) -> None:
    if request.as_json:
        line = {
            "options": dict(tuned.choices),
            "file": str(request.out),
            "validation_ndcg10": tuned.ndcg10,
            "trials": {"finished": tuned.finished, "given_up": tuned.given_up},
            "seconds": round(seconds, 1),
        }
        sys.stdout.write(json.dumps(line) + "\n")
        return
    chosen = ", ".join(f"{name} {_short(value)}" for name, value in tuned.choices.items())
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"Best of {tuned.finished} trials ({tuned.given_up} given up early): validation NDCG@10 ", end="")
    console.print(f"[bold]{tuned.ndcg10:.4f}[/bold] with {chosen}")
    console.print(f"riverrun train --options {request.out}")
