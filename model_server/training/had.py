"""What users had before each position of a batch: lists hide it, so it need not lose against what came next.

An item is both read and ranked by the same vector. If what was had competes, a user must lie far from the very items
that say what the user likes; without it the network learns the order of what can be shown, and nothing else.
"""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

MOST: Final = 1_000
"""So many of a user's newest interactions are looked at."""


@dataclass(frozen=True, slots=True, eq=False)
class Had:
    """Before what came next at the t-th of T positions the user had `items[first[t] : end[t]]`.

    Args:
        items: (E,) int64, a user's one behind the other's; on the CPU.
        first, end: (T,) int64.
    """

    items: Tensor
    first: Tensor
    end: Tensor

    def at(self, positions: Tensor) -> "Had":
        """The same of some of the positions."""
        return Had(self.items, self.first[positions], self.end[positions])

    def pairs(self, block: slice, device: torch.device) -> tuple[Tensor, Tensor]:
        """What was had at the positions of the block: rows of the block and items, (P,) each."""
        first, counts = self.first[block], self.end[block] - self.first[block]
        # Where each row's items lie: its first, then one after the other.
        places = torch.repeat_interleave(first - (counts.cumsum(0) - counts), counts)
        places += torch.arange(len(places))
        rows = torch.repeat_interleave(torch.arange(len(counts)), counts)
        return rows.to(device), self.items[places].to(device)
