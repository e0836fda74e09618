"""From what users did to the tensors that the network reads.

This module does not know the network's weights; only which items have a vector and which kinds were trained.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.interests.state import Kind
from app.surfaces.touches import Touches

GAP_BUCKETS: Final = 32
NO_GAP: Final = 0
WINDOW_JUMP: Final = 15

# Kinds by which a visitor turns an item down. A model that never saw them in training has not learned that
# they repel: read as an average kind they would attract, so they are left out of the sequence instead.
NEGATIVE_KINDS: Final = frozenset({Kind.REMOVE_FROM_CART, Kind.DISLIKE})


@dataclass(frozen=True, slots=True, eq=False)
class SequenceBatch:
    """B users' newest interactions, oldest first, padded behind to the longest of the batch (L).

    Args:
        positions: (B, L) int64, where each interaction's item is in the table of item vectors; 0 in the padding.
        kinds: (B, L) int64, numbers of `Kind`; 0 in the padding.
        gaps: (B, L) int64, bucket of the time since the interaction before it (`gap_buckets`).
        lengths: (B,) int64, how many are real; 0 for a user of whom nothing usable is known.
    """

    positions: Tensor
    kinds: Tensor
    gaps: Tensor
    lengths: Tensor

    def of(self, places: Sequence[int]) -> "SequenceBatch":
        """Those of the users at these places, no longer padded than they need."""
        if len(places) == len(self.lengths):
            return self
        lengths = self.lengths[places]
        longest = int(lengths.max())
        positions, kinds, gaps = (each[places, :longest] for each in (self.positions, self.kinds, self.gaps))
        return SequenceBatch(positions, kinds, gaps, lengths)

    def to(self, device: torch.device) -> "SequenceBatch":
        """The same batch on another device."""
        return SequenceBatch(
            positions=self.positions.to(device),
            kinds=self.kinds.to(device),
            gaps=self.gaps.to(device),
            lengths=self.lengths.to(device),
        )


def first_read(known: NDArray[np.int64], max_length: int) -> NDArray[np.int64]:
    """Which of so many interactions is the first that is read, for each number of them; `max_length` at least are.

    It moves in jumps of `WINDOW_JUMP`: while it stands still, an encoding can be continued instead of begun again. So
    up to 14 interactions more are read than in training, which does quality no harm (DECISIONS.md).
    """
    return np.maximum(known - max_length, 0) // WINDOW_JUMP * WINDOW_JUMP


def sequence_batch(touches: Touches, kinds_seen: Collection[Kind], max_length: int) -> SequenceBatch:
    """Make the batch of what these users did to items that have a vector.

    Interactions of a negative kind that the model was not trained on are skipped; of the rest the newest ones are
    read (`first_read`).

    Args:
        touches: B users', items numbered by their rows in the table of item vectors handed to `encode_users`.
        kinds_seen: the kinds that the model was trained on (`NetworkConfig.kinds_seen`).
        max_length: longest sequence that the model was trained on.
    """
    users, items, kinds, ts_ms = touches.users, touches.items, touches.kinds, touches.ts_ms
    for kind in NEGATIVE_KINDS.difference(kinds_seen):
        read = kinds != kind
        if not read.all():
            users, items, kinds, ts_ms = users[read], items[read], kinds[read], ts_ms[read]
    lengths = np.bincount(users, minlength=touches.count)
    skipped = first_read(lengths, max_length)
    if skipped.any():
        read = np.arange(len(users)) - (np.cumsum(lengths) - lengths)[users] >= skipped[users]
        items, kinds, ts_ms, lengths = items[read], kinds[read], ts_ms[read], lengths - skipped
    return padded_batch(items, kinds, ts_ms, lengths)


def padded_batch(
    positions: NDArray[np.int64], kinds: NDArray[np.int64], ts_ms: NDArray[np.int64], lengths: NDArray[np.int64]
) -> SequenceBatch:
    """Lay sequences that stand one behind the other, (sum of lengths,) each, into a padded batch."""
    longest = max(1, int(lengths.max(initial=0)))
    real = np.arange(longest) < lengths[:, None]
    padded = np.zeros((3, *real.shape), np.int64)
    padded[:, real] = positions, kinds, gap_buckets(ts_ms)
    # The gap before a sequence's first interaction is to another sequence.
    padded[2, :, 0] = NO_GAP
    laid_out = torch.from_numpy(padded)
    return SequenceBatch(laid_out[0], laid_out[1], laid_out[2], torch.from_numpy(lengths))


def gap_buckets(ts_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """(E,) times, oldest first -> (E,) buckets: 0 for the first, else 1 + log2(1 + seconds since the one before).

    A negative gap (an event that came late) counts as none.
    """
    seconds = np.maximum(np.diff(ts_ms, prepend=ts_ms[:1]), 0) // 1_000
    # The exponent of a floating point number is its logarithm, rounded down, and one.
    buckets = np.minimum(np.frexp(seconds + 1.0)[1], GAP_BUCKETS - 1).astype(np.int64)
    buckets[:1] = NO_GAP
    return buckets
