"""A training that was stopped in the middle ends as one that was not."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model_server.registry.version import TrainedModel
from model_server.training.checkpoint import Checkpoints
from model_server.training.execution import Execution
from model_server.training.loop import OnProgress, Progress
from model_server.training.options import TrainingOptions
from model_server.training.run import TrainingJob, train_model
from tests.support.model import HashEncoder, planted_dataset, tiny_options

CPU = torch.device("cpu")


class KilledError(Exception):
    """Stands for the power cut."""


def killed_after(steps: int) -> OnProgress:
    heard: list[Progress] = []

    def on_progress(progress: Progress) -> None:
        heard.append(progress)
        if len(heard) == steps:
            raise KilledError

    return on_progress


def trained(options: TrainingOptions, folder: Path | None, on_progress: OnProgress = lambda _: None) -> TrainedModel:
    dataset = planted_dataset(users=60)
    # With a clock that stands still a checkpoint is due after every step.
    checkpoints = None if folder is None else Checkpoints(folder, every_s=0, clock_s=lambda: 0.0)
    execution = Execution(checkpoints=checkpoints, deterministic=True)
    job = TrainingJob(dataset, dataset.interactions, 0, 14, execution)
    return train_model(job, HashEncoder(), options, CPU, on_progress)


@pytest.mark.parametrize("negatives", [0, 16])
def test_what_was_killed_twice_ends_bit_for_bit_as_what_was_not(tmp_path: Path, negatives: int) -> None:
    options = tiny_options(epochs=3, batch_sequences=16, negatives=negatives)
    undisturbed = trained(options, None)
    for steps in (4, 8):  # in the middle of the first epoch, then of the second
        with pytest.raises(KilledError):
            trained(options, tmp_path / "mine", killed_after(steps))
    heard: list[Progress] = []
    resumed = trained(options, tmp_path / "mine", heard.append)
    assert heard[0].epoch == 2
    assert heard[0].done > 1 / 3 + 0.1
    weights, wanted = resumed.network.state_dict(), undisturbed.network.state_dict()
    assert all(torch.equal(weights[name], weight) for name, weight in wanted.items())
    timeless = ("validation_hr10", "validation_ndcg10", "best_epoch", "epochs")
    assert [resumed.metrics[name] for name in timeless] == [undisturbed.metrics[name] for name in timeless]


def test_what_was_killed_in_its_second_network_keeps_the_first_and_ends_bit_for_bit(tmp_path: Path) -> None:
    options = tiny_options(epochs=2, batch_sequences=16, members=2)
    undisturbed = trained(options, None)
    heard: list[Progress] = []
    trained(replace(options, members=1), None, heard.append)
    with pytest.raises(KilledError):
        trained(options, tmp_path / "mine", killed_after(len(heard) + 3))
    heard.clear()
    resumed = trained(options, tmp_path / "mine", heard.append)
    assert {progress.member for progress in heard} == {2}
    assert heard[0].done > 1 / 2
    weights, wanted = resumed.network.state_dict(), undisturbed.network.state_dict()
    assert all(torch.equal(weights[name], weight) for name, weight in wanted.items())
    assert resumed.metrics["validation_ndcg10"] == undisturbed.metrics["validation_ndcg10"]


def test_a_damaged_checkpoint_is_none(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "mine", every_s=0)
    assert checkpoints.place() is None
    with pytest.raises(KilledError):
        trained(tiny_options(epochs=2), tmp_path / "mine", killed_after(3))
    assert checkpoints.place() is not None
    (file,) = (tmp_path / "mine").iterdir()
    whole = file.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"no checkpoint"):
        file.write_bytes(damaged)
        assert checkpoints.place() is None
    checkpoints.remove()
    assert not (tmp_path / "mine").exists()


def test_writing_takes_a_small_share_of_the_time(tmp_path: Path) -> None:
    now_s = [0.0]

    def slow_clock() -> float:
        now_s[0] += 10.0  # so writing seems to take ten seconds
        return now_s[0]

    checkpoints = Checkpoints(tmp_path / "mine", every_s=1.0, clock_s=slow_clock)
    with pytest.raises(KilledError):
        execution = Execution(checkpoints=checkpoints)
        dataset = planted_dataset(users=60)
        job = TrainingJob(dataset, dataset.interactions, 0, 14, execution)
        train_model(job, HashEncoder(), tiny_options(), CPU, killed_after(2))
    due = [checkpoints.is_due() for _ in range(30)]
    assert due == sorted(due)
    assert due.index(True) * 10.0 >= 190.0
