"""One run of `riverrun evaluate`: makes what takes part, lets each answer the plan, and reports."""

import json
import sys
import time
from collections.abc import Mapping

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from app.data.interactions import Dataset
from app.data.source import open_dataset
from app.errors import DataError
from app.settings import Settings
from model_server.device import resolve_device
from model_server.evaluation.asking import AS_IT_IS, Change, ask, unchanged
from model_server.evaluation.baselines.context import Context
from model_server.evaluation.basket import Task
from model_server.evaluation.comparison import NOISE, reports_of
from model_server.evaluation.contestants import Contestant, contestants, default_models
from model_server.evaluation.facts import item_facts
from model_server.evaluation.own_models import OwnModels, Wanted, load_versions
from model_server.evaluation.page import write_page
from model_server.evaluation.plans import check, plan_of
from model_server.evaluation.relearning import Relearning
from model_server.evaluation.report import Report, json_of, tables_of
from model_server.evaluation.request import EvaluationRequest
from model_server.evaluation.results import Cost, Run
from model_server.evaluation.robustness import Noise
from model_server.evaluation.staleness import lags_of
from model_server.judging.questions import Plan
from model_server.peak_memory import PeakMemory
from model_server.text.pretrained import text_encoders


def run_evaluation(request: EvaluationRequest, settings: Settings) -> Report:
    """Evaluate every recommender in turn; progress to stderr, the result to stdout.

    Raises:
        DataError: the data cannot be read, a model does not exist, or the options contradict each other.
        ModelVersionError: a version is damaged, or was trained on other data.
    """
    started = time.perf_counter()
    check(request)
    if request.threads:
        torch.set_num_threads(request.threads)
    console = Console(stderr=True, highlight=False)
    dataset = open_dataset(request.source, settings.cache_dir, console.print)
    context = _context(dataset, request, settings, console)
    versions = load_versions(request.versions, dataset, context)
    plan = plan_of(request, dataset, versions)
    own = OwnModels(dataset, context, _wanted(request), versions, console)
    models = request.models or default_models(request.protocol, request.task, own.fits())
    taking_part = contestants(models, own.fits(), context, request.seeds, trained=request.choices is not None)
    if request.against and request.against not in {one.name for one in taking_part}:
        names = ", ".join(one.name for one in taking_part)
        raise DataError(f"--against {request.against} does not take part.", hint=f"Take one of {names}.")
    session = _Session(plan, dataset, _forms(request, dataset), console)
    runs = {one.name: [session.run(one, seed, own) for seed in one.seeds] for one in taking_part}
    ordered = request.protocol == "stream"
    compared = reports_of(runs, session.facts, request.against, plan.groups, time_ordered=ordered)
    report = Report(
        protocol=request.protocol,
        task=request.task or None,
        data=dataset.name,
        users=len(np.unique(dataset.interactions.users)),
        items=len(dataset.catalog),
        cases=plan.cases,
        seconds=time.perf_counter() - started,
        seeds=request.seeds,
        parameters=plan.parameters,
        against=compared.against,
        noise=request.noise,
        results=compared.models,
    )
    _show(report, request)
    return report


class _Session:
    """What all recommenders of one run share."""

    def __init__(self, plan: Plan, dataset: Dataset, forms: Mapping[str, Change], console: Console) -> None:
        self.facts = item_facts(dataset.catalog, plan.training)
        self._plan = plan
        self._forms = forms
        self._console = console

    def run(self, contestant: Contestant, seed: int, own: OwnModels) -> Run:
        """Fit it and ask it everything, with a progress bar."""
        started, peak = time.perf_counter(), PeakMemory(torch.device("cpu"))
        recommender = contestant.fit(seed)(self._plan.training)  # may show a progress bar of its own
        fitted = time.perf_counter()
        spent = own.spent(contestant.name, seed)
        fit_seconds, fit_peak_mb = max(fitted - started, spent.seconds), max(peak.mb(), spent.peak_mb)
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self._console) as bar:
            task = bar.add_task(contestant.name, total=None)
            answers = ask(
                self._plan,
                recommender,
                self.facts,
                self._forms,
                lambda done, total: bar.update(task, completed=done, total=total),
            )
        again_s = recommender.learning_s if isinstance(recommender, Relearning) else 0.0
        return Run(seed, Cost(fit_seconds + again_s, fit_peak_mb, time.perf_counter() - fitted - again_s), answers)


def _context(dataset: Dataset, request: EvaluationRequest, settings: Settings, console: Console) -> Context:
    device = resolve_device(settings.scoring.device)
    return Context(
        catalog=dataset.catalog,
        half_life_days=settings.scoring.popularity_half_life_days,
        seed=request.seeds[0],
        device=device,
        encoder_of=text_encoders(settings.cache_dir, device, console.print),
        cache_dir=settings.cache_dir,
        on_message=console.print,
    )


def _wanted(request: EvaluationRequest) -> Wanted:
    task = Task(request.task) if request.protocol == "basket" else None
    return Wanted(request.choices, task, request.repeats, request.relearn_days)


def _forms(request: EvaluationRequest, dataset: Dataset) -> dict[str, Change]:
    """In which forms the questions are asked."""
    forms: dict[str, Change] = {AS_IT_IS: unchanged}
    if request.staleness:
        forms |= lags_of(request.protocol)
    if request.noise:
        forms[NOISE] = Noise(request.noise, len(dataset.catalog), request.seeds[0])
    return forms


def _show(report: Report, request: EvaluationRequest) -> None:
    console = Console(highlight=False)
    for table in tables_of(report):
        console.print(table)
    try:
        if request.plots is not None:
            console.print(f"Pictures and page: {write_page(report, request.plots)}", soft_wrap=True)
    except OSError as error:
        raise DataError(f"The pictures cannot be written: {error}.", hint="Is there room in --plots?") from error
    finally:  # what took an hour is said in any case
        if request.as_json:
            sys.stdout.write(json.dumps(json_of(report)) + "\n")
