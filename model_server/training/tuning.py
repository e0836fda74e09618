"""Search for training options within a budget: optuna's TPE, bad trials given up early, all of it resumable.

What counts is validation NDCG@10; what a training never sees, neither does the search. Trials live in a SQLite file
beside the model versions, one study for each data set, so a search that was stopped goes on with what it knows.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import optuna
from optuna.trial import FrozenTrial, TrialState

from model_server.training.chosen import Choices
from model_server.training.loop import Progress
from model_server.training.options import TrainingOptions

STORAGE: Final = "tuning.sqlite"
_FIRST_TRIALS: Final = 4  # that are finished before any is compared with their median
_FIRST_EPOCHS: Final = 2
_OUT_OF_TIME: Final = "out of time"

logger = logging.getLogger(__name__)

Trained = Callable[[TrainingOptions, Callable[[Progress], None]], float]
"""Trains with these options, tells of every step, and returns the validation NDCG@10 of the best epoch."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """What a search found: the choices that differ from the defaults, their NDCG@10, and how many trials there were."""

    choices: Choices
    ndcg10: float
    finished: int
    given_up: int


class _OutOfTimeError(Exception):
    """The budget is over; nothing was found out about the trial under way."""


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """One search.

    Args:
        models_dir: where its file is.
        study: its name; the same name goes on with the same trials.
        base: what is not searched over, and the first trial.
        trials: to be made now, at most.
        budget_s: seconds for them; what is under way then is given up.
        now_s: a monotonic clock.
    """

    models_dir: Path
    study: str
    base: TrainingOptions
    trials: int
    budget_s: float
    now_s: Callable[[], float] = time.monotonic

    def run(self, trained: Trained, on_trial: Callable[[FrozenTrial], None]) -> Tuned | None:
        """The best of this search and those before it; None where not a single trial came to its end."""
        deadline_s = self.now_s() + self.budget_s
        study = self._study()
        for _ in range(self.trials):
            if self.now_s() >= deadline_s:
                break
            trial = study.ask()
            on_trial(self._tried(study, trial, trained, deadline_s))
        finished = study.get_trials(states=(TrialState.COMPLETE,))
        if not finished:
            return None
        given_up = len(study.get_trials(states=(TrialState.PRUNED,)))
        return Tuned(study.best_params, study.best_value, len(finished), given_up)

    def _tried(self, study: optuna.Study, trial: optuna.Trial, trained: Trained, deadline_s: float) -> FrozenTrial:
        """One training; given up when it is worse than the median of others was, or when the time is over."""
        told = 0

        def on_progress(progress: Progress) -> None:
            nonlocal told
            if progress.validation is not None and progress.epoch - 1 > told:
                told = progress.epoch - 1
                trial.report(progress.validation.ndcg10, told)
                if trial.should_prune():
                    raise optuna.TrialPruned
            if self.now_s() >= deadline_s:
                raise _OutOfTimeError

        try:
            value = trained(suggested(trial, self.base), on_progress)
        except optuna.TrialPruned:
            return study.tell(trial, state=TrialState.PRUNED)
        except _OutOfTimeError:
            study.enqueue_trial(trial.params)  # the same command begins with it
            trial.set_user_attr(_OUT_OF_TIME, value=True)
            return study.tell(trial, state=TrialState.FAIL)
        except (ValueError, RuntimeError) as error:  # NaN, or more memory than there is: the next one may do
            logger.warning("Trial %d failed: %s", trial.number, error)
            return study.tell(trial, state=TrialState.FAIL)
        return study.tell(trial, value)

    def _study(self) -> optuna.Study:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.models_dir.mkdir(parents=True, exist_ok=True)
        study = optuna.create_study(
            storage=f"sqlite:///{self.models_dir / STORAGE}",
            study_name=self.study,
            load_if_exists=True,
            direction="maximize",
            pruner=optuna.pruners.MedianPruner(n_startup_trials=_FIRST_TRIALS, n_warmup_steps=_FIRST_EPOCHS),
        )
        # A search that goes on must not draw again what it drew before.
        study.sampler = optuna.samplers.TPESampler(seed=self.base.seed + len(study.trials))
        if not study.trials:
            study.enqueue_trial(_defaults(self.base))
        ended = study.get_trials(states=(TrialState.FAIL,))
        failed = [each.params for each in ended if not each.user_attrs.get(_OUT_OF_TIME)]
        for cut_off in study.get_trials(states=(TrialState.RUNNING,)):
            study.tell(cut_off.number, state=TrialState.FAIL)
            if cut_off.params not in failed:  # of a search that was killed: the same again, once
                study.enqueue_trial(cut_off.params)
        return study


def suggested(trial: optuna.Trial, base: TrainingOptions) -> TrainingOptions:
    """The options of a trial: where and how finely to look, where the search begins included."""

    def rate(name: str, low: float, high: float, *, log: bool = False) -> float:
        begin = getattr(base, name)
        return trial.suggest_float(name, min(low, begin), max(high, begin), log=log)

    def size(name: str, sizes: set[int]) -> int:
        chosen: int = trial.suggest_categorical(name, sorted(sizes | {getattr(base, name)}))
        return chosen

    return replace(
        base,
        learning_rate=rate("learning_rate", 3e-4, 1e-2, log=True),
        batch_sequences=size("batch_sequences", {32, 64, 128, 256}),
        dimension=size("dimension", {each for each in (32, 64, 128) if each % base.heads == 0}),
        hidden=size("hidden", {128, 256, 384}),
        dropout=rate("dropout", 0.1, 0.6),
        cooccurrence_start=trial.suggest_categorical("cooccurrence_start", [False, True]),
    )


def _defaults(base: TrainingOptions) -> dict[str, float]:
    names = ("learning_rate", "batch_sequences", "dimension", "hidden", "dropout", "cooccurrence_start")
    return {name: getattr(base, name) for name in names}
