"""A search begins with the defaults, gives up what is bad, goes on after it was killed, and keeps to its budget."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from model_server.judging.metrics import RankingMetrics
from model_server.training.loop import Progress
from model_server.training.options import TrainingOptions
from model_server.training.tuning import Search

EPOCHS = 6


class PlantedTraining:
    """The nearer the dropout is to .2, the better; a tired one gets worse and worse. Remembers what was asked."""

    def __init__(self, *, tired: bool = False) -> None:
        self.asked: list[TrainingOptions] = []
        self._tired = tired

    def __call__(self, options: TrainingOptions, on_progress: Callable[[Progress], None]) -> float:
        self.asked.append(options)
        value = 1.0 - 0.1 * len(self.asked) if self._tired else 1.0 - abs(options.dropout - 0.2)
        for epoch in range(1, EPOCHS + 1):
            reached = RankingMetrics(cases=9, hr10=value, ndcg10=value * (epoch - 1) / EPOCHS, mrr10=value)
            on_progress(Progress(epoch, EPOCHS, epoch / EPOCHS, 1.0, reached if epoch > 1 else None))
        return value


class KilledError(BaseException):
    """Nothing that a program would catch."""


class KilledTraining:
    """Remembers what was asked, and is killed."""

    def __init__(self) -> None:
        self.asked: list[TrainingOptions] = []

    def __call__(self, options: TrainingOptions, _: Callable[[Progress], None]) -> float:
        self.asked.append(options)
        raise KilledError


def search(models_dir: Path, trials: int = 4, **more: object) -> Search:
    return Search(models_dir, "planted", TrainingOptions(), trials, **{"budget_s": 600.0, **more})  # type: ignore[arg-type]  # keyword by keyword


def test_it_begins_with_the_defaults_and_finds_something_better(tmp_path: Path) -> None:
    training = PlantedTraining()
    tuned = search(tmp_path).run(training, lambda _: None)
    assert training.asked[0] == TrainingOptions()
    assert tuned is not None
    assert tuned.ndcg10 >= 1.0 - abs(TrainingOptions().dropout - 0.2)
    assert (tuned.finished, tuned.given_up) == (4, 0)


def test_what_is_worse_than_most_was_is_given_up(tmp_path: Path) -> None:
    training = PlantedTraining(tired=True)
    tuned = search(tmp_path, trials=6).run(training, lambda _: None)
    assert tuned is not None
    assert (tuned.finished, tuned.given_up) == (4, 2)


def test_a_killed_search_goes_on_with_the_trial_that_it_was_at(tmp_path: Path) -> None:
    killed = KilledTraining()
    search(tmp_path, trials=2).run(PlantedTraining(), lambda _: None)
    with pytest.raises(KilledError):
        search(tmp_path).run(killed, lambda _: None)
    training = PlantedTraining()
    tuned = search(tmp_path, trials=1).run(training, lambda _: None)
    assert training.asked == killed.asked
    assert tuned is not None
    assert tuned.finished == 3


def test_the_budget_ends_a_trial_in_the_middle(tmp_path: Path) -> None:
    now_s = [0.0]

    def tick() -> float:
        now_s[0] += 1.0
        return now_s[0]

    training = PlantedTraining()
    assert search(tmp_path, budget_s=4.0, now_s=tick).run(training, lambda _: None) is None
    assert len(training.asked) == 1
    tuned = search(tmp_path, trials=1).run(training, lambda _: None)
    assert training.asked[0] == training.asked[1]
    assert tuned is not None
    assert (tuned.finished, tuned.given_up) == (1, 0)


@pytest.mark.parametrize("error", [ValueError("a score is NaN"), RuntimeError("out of memory")])
def test_a_trial_that_fails_is_not_the_end_and_not_tried_again(tmp_path: Path, error: Exception) -> None:
    asked: list[TrainingOptions] = []

    def failing(options: TrainingOptions, _: Callable[[Progress], None]) -> float:
        asked.append(options)
        raise error

    assert search(tmp_path, trials=2).run(failing, lambda _: None) is None
    training = PlantedTraining()
    tuned = search(tmp_path, trials=1).run(training, lambda _: None)
    assert tuned is not None
    assert all(options not in asked for options in training.asked)


def test_what_killed_the_search_twice_is_left_alone(tmp_path: Path) -> None:
    killed = KilledTraining()
    for _ in range(2):
        with pytest.raises(KilledError):
            search(tmp_path).run(killed, lambda _: None)
    training = PlantedTraining()
    search(tmp_path, trials=1).run(training, lambda _: None)
    assert killed.asked[0] == killed.asked[1]
    assert training.asked[0] != killed.asked[0]


def test_the_heads_divide_every_size_that_is_tried(tmp_path: Path) -> None:
    training = PlantedTraining()
    six = replace(TrainingOptions(), dimension=96, heads=6)
    Search(tmp_path, "six", six, 12, 600.0).run(training, lambda _: None)
    assert {options.dimension % 6 for options in training.asked} == {0}


def test_what_ran_out_of_time_and_was_then_killed_is_tried_once_more(tmp_path: Path) -> None:
    killed = KilledTraining()
    ticks = iter(range(1_000))
    assert (
        search(tmp_path, budget_s=4.0, now_s=lambda: float(next(ticks))).run(PlantedTraining(), lambda _: None) is None
    )
    with pytest.raises(KilledError):
        search(tmp_path).run(killed, lambda _: None)
    training = PlantedTraining()
    search(tmp_path, trials=1).run(training, lambda _: None)
    assert training.asked == killed.asked == [TrainingOptions()]
