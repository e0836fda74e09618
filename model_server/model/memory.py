"""What the GRU remembered of the users encoded last: of a sequence that only grew, the new steps are all that is read.

A memory is found by user and holds by content: it stands for the exact vectors, kinds and gaps that were read. A late
event, a window that moved, an item that has another vector or became known: each makes another sequence, which no
longer begins as the remembered one, and the user is encoded in full. So nothing ever has to be invalidated.
"""

from collections.abc import Sequence
from typing import Final

import torch
from msgspec import Struct
from torch import Tensor

_START_ROWS: Final = 1_024


class _Memory(Struct, frozen=True, gc=False):
    row: int
    read: bytes


class EncodingMemory:
    """Of the users encoded last; about 1.8 KB each. Not thread-safe.

    Args:
        max_users: how many; who was encoded longest ago is forgotten first.
        hidden: width of the GRU.
        device: where the encoder computes.
    """

    def __init__(self, max_users: int, hidden: int, device: torch.device) -> None:
        self._max_users = max_users
        self._memories: dict[str, _Memory] = {}  # who was encoded longest ago first
        self._rows = torch.zeros(min(_START_ROWS, max_users), hidden, device=device)

    def __len__(self) -> int:
        return len(self._memories)

    def clear(self) -> None:
        """Forget everybody."""
        self._memories.clear()

    def known(self, user_id: str) -> bytes:
        """What had been read of this user when the memory was made; empty for a stranger."""
        memory = self._memories.get(user_id)
        return b"" if memory is None else memory.read

    def recall(self, user_ids: Sequence[str]) -> Tensor:
        """(B, hidden) of users who are no strangers."""
        rows = [self._memories[user_id].row for user_id in user_ids]
        return self._rows[torch.tensor(rows, device=self._rows.device)]

    def keep(self, user_ids: Sequence[str], reads: Sequence[bytes], hidden: Tensor) -> None:
        """Remember (B, hidden) of what these users' GRU remembers now, in place of what was before."""
        rows = [self._place(user_id, read) for user_id, read in zip(user_ids, reads, strict=True)]
        # In a batch larger than the memory two users may have had the same row: the later one has it now.
        newest = dict(zip(rows, range(len(rows)), strict=True))
        device = self._rows.device
        self._rows[torch.tensor(list(newest), device=device)] = hidden[
            torch.tensor(list(newest.values()), device=device)
        ]

    def _place(self, user_id: str, read: bytes) -> int:
        before = self._memories.pop(user_id, None)
        if before is not None:
            row = before.row
        elif len(self._memories) < self._max_users:
            row = len(self._memories)
            self._make_room(row)
        else:
            row = self._memories.pop(next(iter(self._memories))).row
        self._memories[user_id] = _Memory(row, read)
        return row

    def _make_room(self, row: int) -> None:
        if row >= len(self._rows):
            more = min(len(self._rows), self._max_users - len(self._rows))
            self._rows = torch.cat((self._rows, self._rows.new_zeros(more, self._rows.shape[1])))
