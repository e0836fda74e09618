"""From a request to the plan of its protocol."""

from typing import Final

from app.data.interactions import Dataset
from app.errors import DataError
from model_server.evaluation.basket import TASKS, BasketRequest, basket_plan
from model_server.evaluation.cold import cold_plan
from model_server.evaluation.protocols import StreamOptions, leave_one_out, stream
from model_server.evaluation.request import EvaluationRequest
from model_server.judging.questions import Plan
from model_server.registry.version import ModelVersion

_BY_USER: Final = ("loo", "cold")
"""Protocols that predict everybody's last event, whenever it was."""

_NOTHING: Final = {
    "loo": "Users with one event are not asked, and there are no others.",
    "cold": "Users with one event are not asked, and there are no others.",
    "stream": "Say a smaller --train-share; a --version wants one trained with --holdout-events.",
    "basket": "No basket after the cut is of a known customer: say a smaller --train-share.",
}


def check(request: EvaluationRequest) -> None:
    """Stop what cannot be done before anything is read.

    Raises:
        DataError: the options contradict each other.
    """
    if request.versions and (request.protocol in _BY_USER or request.choices is not None):
        raise DataError(
            "--version goes with --protocol stream or basket and without --train.",
            hint="A version has seen what loo and cold predict: say --protocol loo --train instead.",
        )
    if request.task and request.protocol != "basket":
        raise DataError("--task goes with --protocol basket.", hint=f"There are {', '.join(TASKS)}.")
    if request.relearn_days and (request.protocol in _BY_USER or request.choices is None):
        raise DataError(
            "--relearn-days goes with --protocol stream or basket, and with --train.",
            hint=f"{request.protocol} knows no time." if request.protocol in _BY_USER else "Say --train.",
        )
    if request.staleness and request.protocol in _BY_USER:
        raise DataError(
            "--staleness goes with --protocol stream or basket.", hint=f"{request.protocol} knows no time of day."
        )
    if request.plots is not None:
        try:
            request.plots.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"--plots {request.plots} cannot be made: {error}.", hint="Name another folder.") from error


def plan_of(request: EvaluationRequest, dataset: Dataset, versions: tuple[ModelVersion, ...]) -> Plan:
    """What is asked.

    Raises:
        DataError: nothing is left to ask, or a version knows some of the answers.
    """
    plan = _plan(request, dataset, versions)
    if not plan.cases:
        raise DataError("There is nothing to predict.", hint=_NOTHING[request.protocol])
    for version in versions:
        if version.model.data.events > len(plan.training):
            raise DataError(
                f"{version.name} was trained on {version.model.data.events:,} events, of which the protocol asks some: "
                f"its cut is at {len(plan.training):,}.",
                hint="Train with more --holdout-events, or say a larger --train-share.",
            )
    return plan


def _plan(request: EvaluationRequest, dataset: Dataset, versions: tuple[ModelVersion, ...]) -> Plan:
    log = dataset.interactions
    if request.protocol == "loo":
        return leave_one_out(log, repeats=request.repeats)
    if request.protocol == "cold":
        return cold_plan(log, request.share, request.seeds[0], repeats=request.repeats)
    if request.protocol == "basket":
        wanted = BasketRequest(request.task, request.train_share, request.share, request.seeds[0])
        return basket_plan(dataset, wanted)
    known = [version.model.data.events for version in versions]
    cut = max(known) if known else int(len(log) * request.train_share)
    if request.max_events:
        log = log.take(slice(0, cut + request.max_events))
    return stream(log, StreamOptions(cut, request.share, request.seeds[0]), repeats=request.repeats)
