"""Encodes a batch of users, continuing the encodings of those whose sequences only grew since they were last seen."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model_server.model.memory import EncodingMemory
from model_server.model.sequences import SequenceBatch
from model_server.model.serving import UserEncoder

_BYTES_A_STEP: Final = 8
# Bits of a step's number: gap bucket, kind, and above them the id of the item's vector.
_KIND_BITS: Final = 5
_VECTOR_BITS: Final = 9


class ContinuedEncoder:
    """See the module. Not thread-safe.

    Args:
        encoder: encodes in full, and new steps.
        memory: what is remembered of users.
        device: where the encoder computes.
    """

    def __init__(self, encoder: UserEncoder, memory: EncodingMemory, device: torch.device) -> None:
        self._encoder = encoder
        self._memory = memory
        self._device = device

    def expected_steps(self, user_id: str, length: int) -> int:
        """How many steps a sequence of that length will probably take; for laying like users into one batch."""
        known = len(self._memory.known(user_id)) // _BYTES_A_STEP
        return length - known if 0 < known < length else length

    def encode(
        self, user_ids: Sequence[str], sequences: SequenceBatch, item_vectors: Tensor, vector_ids: NDArray[np.int64]
    ) -> Tensor:
        """(B, D) users of length 1, zeros for who has no interactions.

        Args:
            user_ids: B different ones.
            sequences: theirs, on the CPU.
            item_vectors: (N, D).
            vector_ids: (N,) a number for each of these vectors that no other one ever had.
        """
        reads = _steps(sequences, vector_ids)
        known = [self._known_steps(user_id, read) for user_id, read in zip(user_ids, reads, strict=True)]
        grown = [place for place, steps in enumerate(known) if steps]
        strange = [place for place, steps in enumerate(known) if not steps and reads[place]]
        users = item_vectors.new_zeros(len(reads), item_vectors.shape[1])
        for places in (grown, strange):
            if not places:
                continue
            ids = [user_ids[place] for place in places]
            part = sequences.of(places).to(self._device)
            if places is grown:
                steps = torch.tensor([known[place] for place in places], device=self._device)
                encoded = self._encoder.encode_grown(part, item_vectors, steps, self._memory.recall(ids))
            else:
                encoded = self._encoder.encode(part, item_vectors)
            users[places] = encoded.users
            self._memory.keep(ids, [reads[place] for place in places], encoded.hidden)
        return users

    def _known_steps(self, user_id: str, read: bytes) -> int:
        """How many of the steps read are remembered; 0 unless what is remembered is a true beginning of them."""
        known = self._memory.known(user_id)
        return len(known) // _BYTES_A_STEP if len(known) < len(read) and read.startswith(known) else 0


def _steps(sequences: SequenceBatch, vector_ids: NDArray[np.int64]) -> list[bytes]:
    """What is read of each user, byte for byte: the vectors, kinds and gaps."""
    kinds_and_gaps = sequences.kinds.numpy() << _KIND_BITS | sequences.gaps.numpy()
    numbers = vector_ids[sequences.positions.numpy()] << _VECTOR_BITS | kinds_and_gaps
    return [row[:length].tobytes() for row, length in zip(numbers, sequences.lengths.tolist(), strict=True)]
