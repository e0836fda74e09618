"""Trains the members of a network one after the other: the same recipe and data, seeds one apart.

Each is a training of its own, with its own early stopping and its own checkpoint; a run that was killed takes the
finished members from theirs and goes on in the one that was under way.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import Tensor

from model_server.judging.metrics import RankingMetrics
from model_server.model.config import NetworkConfig
from model_server.model.members import Network, together
from model_server.training.execution import Execution
from model_server.training.loop import OnProgress, Progress, TrainedNetwork, all_item_vectors, train_network
from model_server.training.options import TrainingOptions
from model_server.training.validation import ValidationSplit, validate


@dataclass(frozen=True, slots=True, eq=False)
class TrainedMembers:
    """All of them as one network in evaluation mode, how that did on validation, and each alone."""

    network: Network
    validation: RankingMetrics
    each: tuple[TrainedNetwork, ...]

    @property
    def seconds(self) -> float:
        """All trainings took."""
        return sum(trained.seconds for trained in self.each)


def train_members(
    config: NetworkConfig,
    split: ValidationSplit,
    texts: Tensor,
    options: TrainingOptions,
    on_progress: OnProgress,
    execution: Execution,
) -> TrainedMembers:
    """Train `options.members` networks; the arguments are those of `train_network`."""
    each = tuple(
        train_network(
            config,
            split,
            texts,
            replace(options, seed=options.seed + number),
            _telling(on_progress, number, options.members),
            _of_member(execution, number),
        )
        for number in range(options.members)
    )
    network = together([trained.network for trained in each]).eval()
    if len(each) == 1:
        return TrainedMembers(network, each[0].validation, each)
    return TrainedMembers(network, validate(network, split, all_item_vectors(network, texts)), each)


def _of_member(execution: Execution, number: int) -> Execution:
    checkpoints = execution.checkpoints
    return execution if checkpoints is None else replace(execution, checkpoints=checkpoints.of_member(number))


def _telling(on_progress: OnProgress, number: int, members: int) -> Callable[[Progress], None]:
    """Tells of a member's progress as of a part of the whole."""

    def tell(progress: Progress) -> None:
        done = (number + progress.done) / members
        on_progress(replace(progress, done=done, member=number + 1, members=members))

    return tell
