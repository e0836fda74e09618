"""Cut users' histories into training sequences of bounded length, differently in every epoch.

Events of one user at one instant have no order: that of the log is an accident, and a network that learns it learns
noise. Every epoch puts them in another one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.data.interactions import Interactions
from model_server.model.sequences import SequenceBatch, padded_batch
from model_server.training.had import MOST, Had

_POOL_BATCHES: Final = 16


@dataclass(frozen=True, slots=True, eq=False)
class TrainingBatch:
    """Sequences, and for each real position the item that came next.

    Args:
        sequences: B sequences.
        real: (B, L) bool, false in the padding.
        targets: (number of real positions,) int64, in row order.
        had: what was had before each of them.
    """

    sequences: SequenceBatch
    real: Tensor
    targets: Tensor
    had: Had


@dataclass(frozen=True, slots=True, eq=False)
class Histories:
    """All interactions, one user's behind the other's, each in time order.

    Args:
        items, kinds, ts_ms: (E,) columns.
        starts: (U,) where each user's begin.
        lengths: (U,) how many each user has.
    """

    items: NDArray[np.int64]
    kinds: NDArray[np.int64]
    ts_ms: NDArray[np.int64]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]


def histories_of(interactions: Interactions) -> Histories:
    """The same interactions by user."""
    order = np.argsort(interactions.users, kind="stable")
    lengths = np.bincount(interactions.users, minlength=len(interactions.user_ids)).astype(np.int64)
    return Histories(
        items=interactions.items[order].astype(np.int64),
        kinds=interactions.kinds[order].astype(np.int64),
        ts_ms=interactions.ts_ms[order],
        starts=np.cumsum(lengths) - lengths,
        lengths=lengths,
    )


def epoch_batches(
    histories: Histories, max_length: int, batch_sequences: int, rng: np.random.Generator
) -> Iterator[TrainingBatch]:
    """One pass over all transitions, in random order, cut at random places so that contexts of every length occur.

    Chunks of like length stand in one batch, for padding costs as much as what is real; batches hold about equally
    many transitions, so that each of these weighs the same in the steps that they make.
    """
    histories = in_any_order(histories, rng)
    starts, lengths = _chunks(histories, max_length, rng)
    batches = _batches_of_like_length(lengths, batch_sequences, rng)
    for number in rng.permutation(len(batches)):
        chosen = batches[number]
        yield _batch(histories, starts[chosen], lengths[chosen])


def in_any_order(histories: Histories, rng: np.random.Generator) -> Histories:
    """The same, what one user did at one instant in random order; draws nothing where every instant has one event."""
    users = np.repeat(np.arange(len(histories.lengths)), histories.lengths)
    tied = (users[1:] == users[:-1]) & (histories.ts_ms[1:] == histories.ts_ms[:-1])
    if not tied.any():
        return histories
    instants = np.concatenate(([0], np.cumsum(~tied)))
    order = np.lexsort((rng.random(len(users)), instants))
    return replace(histories, items=histories.items[order], kinds=histories.kinds[order])


def _chunks(
    histories: Histories, max_length: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Starts and lengths of the chunks; a chunk of n interactions has n transitions, the last one out of the chunk."""
    transitions = np.maximum(histories.lengths - 1, 0)
    offsets = rng.integers(0, max_length, size=len(transitions))
    # The first cut of a user lies at `offset` (0: none), then every max_length.
    counts = np.where(transitions > 0, -(-(transitions + offsets) // max_length), 0)
    users = np.repeat(np.arange(len(counts)), counts)
    number = np.arange(len(users)) - np.repeat(np.cumsum(counts) - counts, counts)
    begin = np.maximum(number * max_length - offsets[users], 0)
    end = np.minimum((number + 1) * max_length - offsets[users], transitions[users])
    return histories.starts[users] + begin, end - begin


def _batches_of_like_length(
    lengths: NDArray[np.int64], batch_sequences: int, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Places of chunks by batch; which ones meet is random, within pools of `_POOL_BATCHES` batches."""
    order = rng.permutation(len(lengths))
    batches: list[NDArray[np.int64]] = []
    for begin in range(0, len(order), _POOL_BATCHES * batch_sequences):
        pool = order[begin : begin + _POOL_BATCHES * batch_sequences]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        count = -(-len(pool) // batch_sequences)
        finished = np.cumsum(lengths[pool])
        cuts = np.searchsorted(finished, finished[-1] * np.arange(1, count) / count, side="right")
        batches += [batch for batch in np.split(pool, cuts) if len(batch)]
    return batches


def _batch(histories: Histories, starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> TrainingBatch:
    steps = np.arange(int(lengths.max()))
    real = steps < lengths[:, None]
    flat = (starts[:, None] + steps)[real]
    sequences = padded_batch(histories.items[flat], histories.kinds[flat], histories.ts_ms[flat], lengths)
    return TrainingBatch(
        sequences=sequences,
        real=torch.from_numpy(real),
        targets=torch.from_numpy(histories.items[flat + 1]),
        had=_had(histories, flat),
    )


def _had(histories: Histories, places: NDArray[np.int64]) -> Had:
    """What the users had at these (T,) places of the log and before."""
    # Of users without events, who start at the same place, the last one is the one who has some.
    users = np.searchsorted(histories.starts, places, side="right") - 1
    first = np.maximum(histories.starts[users], places + 1 - MOST)
    return Had(torch.from_numpy(histories.items), torch.from_numpy(first), torch.from_numpy(places + 1))
