"""riverrun's own models for an evaluation: loaded versions, or one training for each seed, whoever asks first."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from rich.console import Console

from app.data.interactions import Dataset, Interactions
from app.data.local_time import MS_PER_DAY
from app.errors import DataError, ModelVersionError
from model_server.evaluation.baselines.context import Context
from model_server.evaluation.basket import Task
from model_server.evaluation.contestants import LISTS, NETWORK, OWN, RELEARNING, RIVERRUN, OwnFits
from model_server.evaluation.first_week import FirstWeek
from model_server.evaluation.live_version import Surroundings
from model_server.evaluation.ranked import RankedRecommender, as_served, shop_of, train_for_task
from model_server.evaluation.recommender import network, riverrun, riverrun_again
from model_server.evaluation.relearning import Relearning
from model_server.evaluation.served_lists import first_list, list_of_new_items
from model_server.judging.cases import Fit, Recommender
from model_server.peak_memory import PeakMemory
from model_server.privacy.run import train_as_wanted
from model_server.registry.load import load_version
from model_server.registry.version import ModelVersion, TrainedModel
from model_server.training.bar import TrainingBar
from model_server.training.chosen import Choices, with_choices
from model_server.training.options import options_for
from model_server.training.run import TrainingJob

_OWN: Final = {RIVERRUN: riverrun, NETWORK: network, LISTS: first_list}


@dataclass(frozen=True, slots=True)
class Spent:
    """What a training took; nothing where there was none."""

    seconds: float = 0.0
    peak_mb: float = 0.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What riverrun is to be.

    Args:
        choices: train, with these options in the place of those that suit the data; None: nothing is trained.
        task: of BASKET, for which riverrun is the learned ranker, or of `new` the list of new items; None: the blend
            of the network and counts.
        repeats: what users had may come back, so riverrun's candidates hold it.
        relearn_days: also one that is trained anew after so many days, time and again; 0: none.
    """

    choices: Choices | None
    task: Task | None
    repeats: bool = False
    relearn_days: int = 0

    @property
    def ranked(self) -> Task | None:
        """The task for which a ranker is trained."""
        return None if self.task is Task.NEW else self.task


class OwnModels:
    """Makes riverrun's own recommenders.

    Args:
        dataset: what is evaluated on.
        context: device, encoder and half-life are read from it.
        wanted: what riverrun is to be.
        versions: loaded; used where nothing is trained.
        console: for the progress of a training.
    """

    def __init__(
        self,
        dataset: Dataset,
        context: Context,
        wanted: Wanted,
        versions: tuple[ModelVersion, ...],
        console: Console,
    ) -> None:
        self._dataset = dataset
        self._context = context
        self._wanted = wanted
        self._versions = versions
        self._console = console
        self._trained: dict[tuple[int, int], TrainedModel] = {}  # by seed and events, the first one first
        self._spent: dict[int, Spent] = {}  # by seed, for its first training

    def fits(self) -> OwnFits:
        """How they are made; empty where there is nothing to make them of."""
        if (choices := self._wanted.choices) is not None:
            once: OwnFits = {"": lambda name: lambda seed: self._fit_of_training(choices, name, seed)}
            if not self._wanted.relearn_days:
                return once
            return {**once, RELEARNING: lambda name: lambda seed: self._relearning(once[""](name)(seed))}
        several = len(self._versions) > 1
        return {f"@{version.name}" if several else "": _always(self, version.model) for version in self._versions}

    def spent(self, name: str, seed: int) -> Spent:
        """What the first training took that riverrun's own share; nothing for others, and for one that has its own."""
        own = name.removesuffix(RELEARNING)
        return Spent() if own not in OWN or self._is_ranker(own) else self._spent.get(seed, Spent())

    def recommender(self, name: str, model: TrainedModel, part: Interactions) -> Recommender:
        """One of `OWN` with live state; `part` is what counting starts from."""
        if self._wanted.task is Task.NEXT and name == RIVERRUN and model.ranker is not None:
            return as_served(model.ranker, part, shop_of(self._dataset).promoting)
        context = self._context
        surroundings = Surroundings(
            self._dataset.catalog,
            context.encoder_of(model.tuned),
            context.half_life_days,
            FirstWeek(self._dataset, len(part)) if self._wanted.task is Task.NEW else None,
        )
        return self._maker(name)(model, surroundings, part)

    def _maker(self, name: str) -> Callable[[TrainedModel, Surroundings, Interactions], Recommender]:
        if name == RIVERRUN and self._wanted.task is Task.NEW:
            return list_of_new_items
        return riverrun_again if name == RIVERRUN and self._wanted.repeats else _OWN[name]

    def _is_ranker(self, name: str) -> bool:
        return name == RIVERRUN and self._wanted.choices is not None and self._wanted.ranked is not None

    def _fit_of_training(self, choices: Choices, name: str, seed: int) -> Fit:
        if name == RIVERRUN and (task := self._wanted.ranked) is not None:
            if choices.get("epsilon") is not None:
                raise DataError("The ranker of baskets cannot be trained privately.", hint="Say --models network.")
            return lambda part: self._ranker(task, seed, part)
        return lambda part: self.recommender(name, self._train(choices, seed, part), part)

    def _relearning(self, fit: Fit) -> Fit:
        every_ms = self._wanted.relearn_days * MS_PER_DAY
        return lambda part: Relearning(fit, self._dataset.interactions, len(part), every_ms)

    def _ranker(self, task: Task, seed: int, part: Interactions) -> Recommender:
        trained = train_for_task(replace(self._dataset, interactions=part), task, seed)
        return RankedRecommender(trained.ranker, trained.tables, shop_of(self._dataset).promoting)

    def _train(self, choices: Choices, seed: int, part: Interactions) -> TrainedModel:
        key = (seed, len(part))
        if key not in self._trained:
            started, peak = time.perf_counter(), PeakMemory(self._context.device)
            held_out = len(self._dataset.interactions) - len(part)
            job = TrainingJob(self._dataset, part, held_out, self._context.half_life_days)
            suited = options_for(part, self._dataset.catalog)
            options = with_choices(suited, {**choices, "seed": seed})
            with ExitStack() as stack:
                bar = TrainingBar(self._console, stack)
                self._trained[key] = train_as_wanted(
                    job, self._context.encoder, options, self._context.device, bar.on_progress, bar.on_texts
                )
            self._spent.setdefault(seed, Spent(time.perf_counter() - started, peak.mb()))
            # Each holds the texts of all its items: the first one is wanted again, of those that came later the newest.
            for old in [each for each in self._trained if each[0] == seed][1:-1]:
                del self._trained[old]
        return self._trained[key]


def load_versions(folders: tuple[Path, ...], dataset: Dataset, context: Context) -> tuple[ModelVersion, ...]:
    """The versions in these folders.

    Raises:
        ModelVersionError: one is damaged, or was trained on other data.
    """
    versions = tuple(load_version(folder, context.device) for folder in folders)
    for version in versions:
        if version.model.data.sha256 != dataset.fingerprint:
            raise ModelVersionError(
                f"{version.name} was trained on {version.model.data.name}, which is not this {dataset.name}.",
                hint="Give the same --data, --map and --catalog.",
            )
    return versions


def _always(own: OwnModels, model: TrainedModel) -> Callable[[str], Callable[[int], Fit]]:
    return lambda name: lambda _seed: lambda part: own.recommender(name, model, part)
