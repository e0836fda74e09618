"""Cut a batch of sequences into parts: shares of several processes, pieces that fit into memory.

Every part holds whole sequences, so the loss of the batch is the sum of its parts'.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from model_server.training.chunks import TrainingBatch


def parts_of(batch: TrainingBatch, parts: int) -> list[TrainingBatch]:
    """At most so many parts of like many sequences each."""
    if parts == 1:
        return [batch]
    places = torch.arange(len(batch.sequences.lengths)).tensor_split(min(parts, len(batch.sequences.lengths)))
    return [_taken(batch, each, _first_targets(batch)) for each in places]


def _first_targets(batch: TrainingBatch) -> Tensor:
    """(B,) where each sequence's targets begin; there is one for each of its positions."""
    return batch.sequences.lengths.cumsum(0) - batch.sequences.lengths


def _taken(batch: TrainingBatch, places: Tensor, first: Tensor) -> TrainingBatch:
    sequences = batch.sequences.of(_listed(places))
    longest = sequences.positions.shape[1]
    real = batch.real[places][:, :longest]
    targets = (first[places, None] + torch.arange(longest))[real]
    return TrainingBatch(sequences=sequences, real=real, targets=batch.targets[targets], had=batch.had.at(targets))


def _listed(places: Tensor) -> Sequence[int]:
    listed: list[int] = places.tolist()
    return listed
