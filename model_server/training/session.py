"""One run of `riverrun train`: data, training with a progress bar, the version folder, what it prints."""

import json
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from app.data.interactions import split_newest
from app.data.source import DataSource, open_dataset
from app.errors import ModelVersionError
from app.settings import Settings
from model_server.device import resolve_device
from model_server.registry.load import load_version
from model_server.registry.save import save_version
from model_server.registry.version import ModelVersion, TrainedModel, finished_versions, latest_version
from model_server.text.pretrained import open_text_encoder
from model_server.training.loop import Progress as TrainingProgress
from model_server.training.options import TrainingOptions
from model_server.training.run import TrainingJob, train_model


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """What the person asked for; see `riverrun train --help`."""

    source: DataSource
    holdout_events: int
    options: TrainingOptions
    threads: int
    models_dir: Path
    reuse: bool
    if_none: bool
    as_json: bool


def run_training(request: TrainingRequest, settings: Settings) -> Path:
    """Train and keep the version; progress to stderr, the result to stdout.

    Raises:
        DataError: the data cannot be read or is too little.
        SettingsError: the device is not there.
    """
    started = time.perf_counter()
    console = Console(stderr=True, highlight=False)
    if request.if_none and (newest := latest_version(request.models_dir)) is not None:
        console.print(f"Version {newest.name} is there: nothing to train.")
        if request.as_json:
            sys.stdout.write(json.dumps(_summary(newest, started)) + "\n")
        return newest
    device = resolve_device(settings.scoring.device)
    if request.threads:
        torch.set_num_threads(request.threads)
    dataset = open_dataset(request.source, settings.cache_dir, console.print)
    part = split_newest(dataset.interactions, request.holdout_events)
    encoder = open_text_encoder(settings.cache_dir, device, console.print)
    wanted = TrainedOn(dataset.fingerprint, len(part.after), encoder.fingerprint)
    kept = trained_before(request.models_dir, wanted, device, console.print) if request.reuse else None
    if kept is not None:
        console.print(f"Version {kept.name} was trained on this data before: taking it.")
        _report(_summary(kept.folder, started), kept.model, as_json=request.as_json)
        return kept.folder
    job = TrainingJob(
        dataset=dataset,
        interactions=part.before,
        held_out_events=len(part.after),
        popularity_half_life_days=settings.scoring.popularity_half_life_days,
    )
    with ExitStack() as stack:
        bar = TrainingBar(console, stack)
        model = train_model(job, encoder, request.options, device, bar.on_progress, bar.on_texts)
    folder = save_version(request.models_dir, model, now_ms=time.time_ns() // 1_000_000)
    _report(_summary(folder, started), model, as_json=request.as_json)
    return folder


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """What makes an earlier version as good as a new one: the data, what was held out, the text encoder."""

    sha256: str
    held_out_events: int
    text_encoder: str


def trained_before(
    models_dir: Path, wanted: TrainedOn, device: torch.device, say: Callable[[str], object]
) -> ModelVersion | None:
    """The newest whole version that was trained on exactly this; says which damaged ones it passed over."""
    for folder in reversed(finished_versions(models_dir)):
        try:
            version = load_version(folder, device)
        except ModelVersionError as error:
            say(f"Passed over: {error.what}")
            continue
        data = version.model.data
        if TrainedOn(data.sha256, data.held_out_events, version.model.text_encoder) == wanted:
            return version
    return None


class TrainingBar:
    """A bar with the time left: of the item texts first, then of the training with its newest validation metric.

    Args:
        console: where it is drawn.
        stack: ends it.
    """

    def __init__(self, console: Console, stack: ExitStack) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        self._bar = stack.enter_context(Progress(*columns, console=console))
        self._texts: TaskID | None = None
        self._training = self._bar.add_task("Training", total=1.0)

    def on_texts(self, done: int, total: int) -> None:
        """`done` of `total` new texts are encoded."""
        if self._texts is None:
            self._texts = self._bar.add_task("Encoding item texts", total=total)
        self._bar.update(self._texts, completed=done)

    def on_progress(self, progress: TrainingProgress) -> None:
        """A step was made."""
        reached = f", NDCG@10 {progress.validation.ndcg10:.3f}" if progress.validation else ""
        described = f"Epoch {progress.epoch}/{progress.epochs}, loss {progress.loss:.2f}{reached}"
        self._bar.update(self._training, completed=progress.done, description=described)


def _summary(folder: Path, started: float) -> dict[str, object]:
    return {"version": folder.name, "folder": str(folder), "seconds": round(time.perf_counter() - started, 1)}


def _report(summary: dict[str, object], model: TrainedModel, *, as_json: bool) -> None:
    if as_json:
        data = {name: getattr(model.data, name) for name in model.data.__struct_fields__}
        line = {**summary, "data": data, "metrics": model.metrics}
        sys.stdout.write(json.dumps(line) + "\n")
        return
    console = Console(highlight=False, soft_wrap=True)
    metrics = model.metrics
    console.print(
        f"[bold]{summary['version']}[/bold]: validation HR@10 {metrics['validation_hr10']:.3f}, "
        f"NDCG@10 {metrics['validation_ndcg10']:.3f} (epoch {metrics['best_epoch']:.0f} of {metrics['epochs']:.0f}), "
        f"{summary['seconds']} s"
    )
    console.print(str(summary["folder"]))
