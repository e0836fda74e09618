"""One run of `riverrun evaluate`: which recommenders, which protocol, the table and the JSON line."""

import json
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from app.data.interactions import Dataset, Interactions
from app.data.source import DataSource, open_dataset
from app.errors import DataError, ModelVersionError
from app.settings import Settings
from model_server.device import resolve_device
from model_server.evaluation.baselines.covisitation import CoVisitation
from model_server.evaluation.baselines.popularity import DecayedPopularity, Popularity
from model_server.evaluation.cases import Fit, Recommender
from model_server.evaluation.protocols import OnCases, ProtocolResult, leave_one_out, stream
from model_server.evaluation.recommender import Surroundings, network, riverrun
from model_server.registry.load import load_version
from model_server.registry.version import ModelVersion, TrainedModel
from model_server.text.cached import CachedTextEncoder
from model_server.text.pretrained import open_text_encoder
from model_server.training.bar import TrainingBar
from model_server.training.options import TrainingOptions
from model_server.training.run import TrainingJob, train_model


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """What the person asked for; see `riverrun evaluate --help`. `options` is None where nothing is trained."""

    protocol: str
    source: DataSource
    options: TrainingOptions | None
    version: Path | None
    train_share: float
    max_events: int
    threads: int
    as_json: bool


def run_evaluation(request: EvaluationRequest, settings: Settings) -> dict[str, ProtocolResult]:
    """Evaluate every recommender in turn; progress to stderr, the result to stdout.

    Raises:
        DataError: the data cannot be read, or the options contradict each other.
        ModelVersionError: the version is damaged, or was trained on other data.
    """
    started = time.perf_counter()
    _check(request)
    if request.threads:
        torch.set_num_threads(request.threads)
    session = _Session(request, settings)
    results = {name: session.evaluate(name, fit) for name, fit in session.recommenders().items()}
    _print_table(results, session)
    if request.as_json:
        interactions = session.dataset.interactions
        line = {
            "protocol": request.protocol,
            "data": session.dataset.name,
            "users": len(np.unique(interactions.users)),
            "items": len(session.dataset.catalog),
            "seconds": round(time.perf_counter() - started, 1),
            "results": {name: _rounded(result) for name, result in results.items()},
        }
        sys.stdout.write(json.dumps(line) + "\n")
    return results


def _check(request: EvaluationRequest) -> None:
    if request.version is not None and (request.protocol != "stream" or request.options is not None):
        raise DataError(
            "--version goes with --protocol stream and without --train.",
            hint="A version has seen what loo predicts: say --protocol loo --train instead.",
        )


Own = Callable[[TrainedModel, Surroundings, Interactions], Recommender]
_OWN: Final[Mapping[str, Own]] = {"riverrun": riverrun, "network": network}


class _Session:
    """What all recommenders of one run share."""

    def __init__(self, request: EvaluationRequest, settings: Settings) -> None:
        self.request = request
        self.console = Console(stderr=True, highlight=False)
        self.dataset: Dataset = open_dataset(request.source, settings.cache_dir, self.console.print)
        self._device = resolve_device(settings.scoring.device)
        self._half_life_days = settings.scoring.popularity_half_life_days
        self._encoder: CachedTextEncoder = open_text_encoder(settings.cache_dir, self._device, self.console.print)
        self._version = self._load_version()
        self._trained: TrainedModel | None = None
        self._log, self._cut = self._log_and_cut()

    def recommenders(self) -> dict[str, Fit]:
        """Name -> how to make it from a training part."""
        items = len(self.dataset.catalog)
        found: dict[str, Fit] = {
            "popularity": lambda part: _observed(Popularity(items), part),
            "decayed-popularity": lambda part: _observed(DecayedPopularity(items, self._half_life_days), part),
            "covisitation": lambda part: _observed(CoVisitation(items), part),
        }
        if self._version is not None:
            model = self._version.model
            found |= {name: self._of(make, lambda _: model) for name, make in _OWN.items()}
        elif self.request.options is not None:
            options = self.request.options
            found |= {name: self._of(make, lambda part: self._train(part, options)) for name, make in _OWN.items()}
        return found

    def evaluate(self, name: str, fit: Fit) -> ProtocolResult:
        """Run the protocol with a progress bar."""
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())

        def prepared(part: Interactions) -> Recommender:
            recommender = fit(part)  # may show a progress bar of its own, so before ours
            bar.start()
            return recommender

        bar = Progress(*columns, console=self.console)
        task = bar.add_task(name, total=None)
        on_cases: OnCases = lambda done, total: bar.update(task, completed=done, total=total)  # noqa: E731 - a name for the line below
        try:
            if self.request.protocol == "loo":
                return leave_one_out(self._log, prepared, on_cases)
            return stream(self._log, self._cut, prepared, on_cases)
        finally:
            bar.stop()

    def _of(self, make: Own, trained: Callable[[Interactions], TrainedModel]) -> Fit:
        surroundings = Surroundings(self.dataset.catalog, self._encoder, self._half_life_days)
        return lambda part: make(trained(part), surroundings, part)

    def _train(self, part: Interactions, options: TrainingOptions) -> TrainedModel:
        """Once: a protocol has one training part."""
        if self._trained is None:
            held_out = len(self.dataset.interactions) - len(part)
            job = TrainingJob(self.dataset, part, held_out, self._half_life_days)
            with ExitStack() as stack:
                bar = TrainingBar(self.console, stack)
                self._trained = train_model(job, self._encoder, options, self._device, bar.on_progress, bar.on_texts)
        return self._trained

    def _load_version(self) -> ModelVersion | None:
        if self.request.version is None:
            return None
        version = load_version(self.request.version, self._device)
        if version.model.data.sha256 != self.dataset.fingerprint:
            raise ModelVersionError(
                f"{version.name} was trained on {version.model.data.name}, which is not this {self.dataset.name}.",
                hint="Give the same --data, --map and --catalog.",
            )
        return version

    def _log_and_cut(self) -> tuple[Interactions, int]:
        log = self.dataset.interactions
        cut = self._version.model.data.events if self._version else int(len(log) * self.request.train_share)
        if self.request.protocol == "stream" and cut >= len(log):
            raise DataError("There is nothing after the cut to predict.", hint="Train with --holdout-events above 0.")
        limit = self.request.max_events
        return (log.take(slice(0, cut + limit)) if self.request.protocol == "stream" and limit else log), cut


def _observed(recommender: Recommender, part: Interactions) -> Recommender:
    recommender.observe(part)
    return recommender


def _rounded(result: ProtocolResult) -> dict[str, float]:
    metrics = result.metrics
    values = {"hr10": metrics.hr10, "ndcg10": metrics.ndcg10, "mrr10": metrics.mrr10, "coverage10": result.coverage10}
    return {name: round(value, 4) for name, value in values.items()}


def _print_table(results: dict[str, ProtocolResult], session: _Session) -> None:
    cases = next(iter(results.values())).metrics.cases
    title = (
        f"{session.request.protocol}: {session.dataset.name}, {cases:,} cases, {len(session.dataset.catalog):,} items"
    )
    table = Table(title=title, caption="full ranking, what the user has had left out")
    table.add_column("model")
    for column in ("HR@10", "NDCG@10", "MRR@10", "coverage@10"):
        table.add_column(column, justify="right")
    for name, result in results.items():
        table.add_row(name, *(f"{value:.4f}" for value in _rounded(result).values()))
    Console(highlight=False).print(table)
