"""Which items were done close together, counted."""

from typing import Final

import numpy as np
from scipy import sparse

from model_server.training.chunks import Histories

_WINDOW: Final = 10


def close_pairs(histories: Histories, items: int, backward: float) -> sparse.csr_array:
    """(items, items): 1/k for an item and one k steps after it in the same history, k <= 10; no item with itself.

    Args:
        histories: of whom.
        items: how many there are.
        backward: what the later item gets for the earlier one, as a share of that; 1 makes the counts symmetric.
    """
    users = np.repeat(np.arange(len(histories.lengths)), histories.lengths)
    counts = sparse.csr_array((items, items))
    # One distance after the other: all pairs at once would be twenty times the data.
    for distance in range(1, min(_WINDOW, len(users) - 1) + 1):
        near = (users[:-distance] == users[distance:]) & (histories.items[:-distance] != histories.items[distance:])
        pairs = histories.items[:-distance][near], histories.items[distance:][near]
        onward = sparse.csr_array((np.full(len(pairs[0]), 1 / distance), pairs), shape=(items, items))
        counts = sparse.csr_array(counts + onward + backward * onward.T)
    return counts
