"""What federated training costs: the same network trained by all shops together, by each alone, and in one place.

Leave-one-out over everybody: the last event is predicted, the one before it is for validation, each shop's its own.
All three see every event equally often and stop where their validation was best.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import count
from types import ModuleType
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.data.interactions import Dataset, Interactions
from app.errors import SettingsError
from model_server.federation.local import LocalTraining, Weights
from model_server.federation.shops import Shop, of_shops
from model_server.model.config import NetworkConfig
from model_server.model.network import SequenceNetwork
from model_server.training.loop import Progress, all_item_vectors, train_network
from model_server.training.options import TrainingOptions
from model_server.training.run import network_config
from model_server.training.validation import ValidationSplit, split_validation, validation_ranks

if TYPE_CHECKING:
    from model_server.federation.flower import Federated

CENTRAL: Final = "in one place"
FEDERATED: Final = "federated"
ALONE: Final = "each shop alone"

Say = Callable[[str], object]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """C people, the ranks of what they did next by contender, and the federated rounds.

    Args:
        shop_of: (C,) whose each of them is: index into the shops.
        ranks: contender -> (C,) from 1.
        best_round: whose weights count.
        validation_ndcg10: after each round.
    """

    shop_of: NDArray[np.int64]
    ranks: Mapping[str, NDArray[np.float64]]
    best_round: int
    validation_ndcg10: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Terms:
    """How they compete.

    Args:
        options: the recipe of all networks; its `epochs` are the passes over the data.
        rounds: how often weights travel; `epochs` is a multiple of it.
    """

    options: TrainingOptions
    rounds: int


def same_for_all(options: TrainingOptions, rounds: int, passes: int) -> Terms:
    """The recipe without what looks at everybody's events before the first step, which shops cannot do together."""
    alike = replace(options, cooccurrence_start=False, neighbour_share=0.0, members=1, epochs=rounds * passes)
    return Terms(alike, rounds)


class Contest:
    """See the module.

    Args:
        dataset: its catalogue is shared by all shops: every item has a row.
        shops: who is whose.
        texts: (N, text_dimension) of the catalogue.
        terms: see there.
        say: told what is going on.
    """

    def __init__(self, dataset: Dataset, shops: Sequence[Shop], texts: Tensor, terms: Terms, say: Say) -> None:
        log = of_shops(dataset.interactions, shops)
        self._shops = shops
        self._texts = texts
        self._terms = terms
        self._say = say
        self._told = 0
        self._test = _split(log)
        self._shop_of = np.full(len(log.user_ids), -1, np.int64)
        for number, shop in enumerate(shops):
            self._shop_of[shop.users] = number
        width = texts.shape[1] if texts.any() else 0
        self._config: NetworkConfig = network_config(terms.options, log, len(texts), width)

    def run(self) -> Outcome:
        """Train all, then ask all.

        Raises:
            SettingsError: Flower is not installed.
        """
        flower = _flower()
        training = self._test.training
        whose = self._shop_of[[int(training.users[history[0]]) for history in self._test.histories]]
        ranks = {CENTRAL: self._asked(self._trained(_split(training), CENTRAL))}
        splits = [_split(training.take(np.isin(training.users, shop.users))) for shop in self._shops]
        alone = [self._asked(self._trained(split, shop.name)) for split, shop in zip(splits, self._shops, strict=True)]
        ranks[ALONE] = np.stack(alone)[whose, np.arange(len(whose))]
        federated = self._federated(flower, splits)
        ranks[FEDERATED] = self._asked(federated.weights)
        return Outcome(whose, ranks, federated.best_round, federated.validation_ndcg10)

    def _trained(self, split: ValidationSplit, name: str) -> Weights:
        def told(progress: Progress) -> None:
            if progress.epoch != self._told:
                self._told = progress.epoch
                self._say(f"{name}: pass {progress.epoch} of {progress.epochs}")

        self._told = 0
        return train_network(self._config, split, self._texts, self._terms.options, told).network.state_dict()

    def _federated(self, flower: ModuleType, splits: Sequence[ValidationSplit]) -> "Federated":
        options, rounds = self._terms.options, self._terms.rounds
        shops = [
            LocalTraining(self._config, self._texts, split, options, seed=options.seed + number)
            for number, split in enumerate(splits, start=1)
        ]
        passes = options.epochs // rounds
        made = count(1)
        everything = rounds * passes * len(shops)
        with torch.random.fork_rng([]):
            torch.manual_seed(options.seed)
            start = SequenceNetwork(self._config).state_dict()
            found: Federated = flower.federate(
                shops,
                start,
                flower.Rounds(rounds, passes),
                lambda: self._say(f"{FEDERATED}: {next(made)}/{everything}"),
            )
        return found

    @torch.inference_mode()
    def _asked(self, weights: Weights) -> NDArray[np.float64]:
        network = SequenceNetwork(self._config).to(self._texts.device).eval()
        network.load_state_dict(dict(weights))
        return validation_ranks(network, self._test, all_item_vectors(network, self._texts))


def _split(log: Interactions) -> ValidationSplit:
    """Everybody's last event apart."""
    return split_validation(log, len(log.user_ids), np.random.default_rng(0))


def _flower() -> ModuleType:
    """The module that knows Flower.

    Raises:
        SettingsError: it is not installed.
    """
    try:
        return import_module("model_server.federation.flower")
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"Federated training needs flwr, of which {error.name} is missing.", hint="Run: uv sync --group privacy"
        ) from error
