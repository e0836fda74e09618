"""The validation split: the last event of some users, out of the training part and never out of what is held out."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from app.data.interactions import Interactions, by_user
from model_server.judging.metrics import RankingMetrics, ranking_metrics, target_ranks
from model_server.model.members import Network
from model_server.model.sequences import first_read, padded_batch

_MIN_HISTORY = 2  # one event to read and one to learn from must be left
_BATCH = 128
_MOST_SCORES = 16_000_000  # at once: 64 MB


@dataclass(frozen=True, slots=True, eq=False)
class ValidationSplit:
    """Training interactions, and for U users what came next.

    Args:
        training: what may be learned from.
        histories: U arrays of positions in `training`, oldest first.
        targets: (U,) the items that came next.
    """

    training: Interactions
    histories: list[NDArray[np.intp]]
    targets: NDArray[np.int64]


def split_validation(interactions: Interactions, max_users: int, rng: np.random.Generator) -> ValidationSplit:
    """Take the last event of `max_users` random users who have enough; of all of them where there are fewer."""
    of_user = by_user(interactions)
    able = [user for user, positions in enumerate(of_user) if len(positions) > _MIN_HISTORY]
    if len(able) > max_users:
        able = sorted(rng.choice(able, size=max_users, replace=False).tolist())
    last = np.array([of_user[user][-1] for user in able], dtype=np.intp)
    kept = np.ones(len(interactions), dtype=np.bool_)
    kept[last] = False
    training = interactions.take(kept)
    remaining = by_user(training)
    return ValidationSplit(
        training=training,
        histories=[remaining[user] for user in able],
        targets=interactions.items[last].astype(np.int64),
    )


def validate(network: Network, split: ValidationSplit, item_vectors: torch.Tensor) -> RankingMetrics:
    """The metrics of `validation_ranks`."""
    return ranking_metrics(validation_ranks(network, split, item_vectors))


@torch.inference_mode()
def validation_ranks(network: Network, split: ValidationSplit, item_vectors: torch.Tensor) -> NDArray[np.float64]:
    """(U,) ranks of what came next among the items of the network, without what the user has had already."""
    log, device = split.training, item_vectors.device
    ranks: list[NDArray[np.float64]] = []
    batch = max(1, min(_BATCH, _MOST_SCORES // len(item_vectors)))
    for start in range(0, len(split.targets), batch):
        histories = split.histories[start : start + batch]
        first = first_read(np.array([len(history) for history in histories]), network.config.max_length)
        read = [history[start:] for history, start in zip(histories, first, strict=True)]
        flat = np.concatenate(read)
        lengths = np.array([len(positions) for positions in read], dtype=np.int64)
        columns = (log.items[flat].astype(np.int64), log.kinds[flat].astype(np.int64), log.ts_ms[flat])
        sequences = padded_batch(*columns, lengths).to(device)
        scores = network.scores(network.encode_users(sequences, item_vectors).users, item_vectors).cpu().numpy()
        for row, history in enumerate(histories):
            scores[row, log.items[history]] = -np.inf
        ranks.append(target_ranks(scores, split.targets[start : start + batch]))
    return np.concatenate(ranks) if ranks else np.zeros(0)
