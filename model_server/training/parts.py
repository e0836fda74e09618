"""Cut a batch of sequences into parts: shares of several processes, pieces that fit into memory or need no padding.

Every part holds whole sequences, so the loss of the batch is the sum of its parts'.
"""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from model_server.training.chunks import TrainingBatch

_GROWTH: Final = 1.4  # a group's longest sequence against its shortest
_SLACK: Final = 2  # steps beyond that
_REAL_ENOUGH: Final = 0.5  # with a third of padding groups cost what they save (DECISIONS.md)


def parts_of(batch: TrainingBatch, parts: int) -> list[TrainingBatch]:
    """At most so many parts of like many sequences each."""
    if parts == 1:
        return [batch]
    places = torch.arange(len(batch.sequences.lengths)).tensor_split(min(parts, len(batch.sequences.lengths)))
    return [_taken(batch, each, _first_targets(batch)) for each in places]


def groups_of(batch: TrainingBatch, min_tokens: int) -> list[TrainingBatch]:
    """Sequences of like length together, so that little is padding; the batch as it is where most is real anyway.

    Args:
        batch: what to group.
        min_tokens: a group goes on growing until it has so many, for small ones waste more than padding does.
    """
    if len(batch.targets) > _REAL_ENOUGH * batch.real.numel():
        return [batch]
    lengths, order = batch.sequences.lengths.sort()
    first = _first_targets(batch)
    groups, begin, tokens = [], 0, 0
    for end, length in enumerate(lengths.tolist()):
        if tokens >= min_tokens and length > _GROWTH * int(lengths[begin]) + _SLACK:
            groups.append(_taken(batch, order[begin:end], first))
            begin, tokens = end, 0
        tokens += length
    return [*groups, _taken(batch, order[begin:], first)] if groups else [batch]


def _first_targets(batch: TrainingBatch) -> Tensor:
    """(B,) where each sequence's targets begin; there is one for each of its positions."""
    return batch.sequences.lengths.cumsum(0) - batch.sequences.lengths


def _taken(batch: TrainingBatch, places: Tensor, first: Tensor) -> TrainingBatch:
    sequences = batch.sequences.of(_listed(places))
    longest = sequences.positions.shape[1]
    real = batch.real[places][:, :longest]
    targets = (first[places, None] + torch.arange(longest))[real]
    return TrainingBatch(sequences=sequences, real=real, targets=batch.targets[targets])


def _listed(places: Tensor) -> Sequence[int]:
    listed: list[int] = places.tolist()
    return listed
