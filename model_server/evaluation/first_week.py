"""What a shop has begun to sell: products in the seven days from the day of their first sale.

A log does not say when a product came into the shop, and a shop lists before it sells: so a product counts as listed
from midnight before its first sale on. That it will sell on its first day is what nobody else could know: whoever puts
the newest first makes use of it, and nothing that is evaluated here does.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.data.interactions import Dataset
from app.data.local_time import MS_PER_DAY, local_ms

DAYS: Final = 7


class FirstWeek:
    """Products that nobody had before the cut.

    Args:
        dataset: everything; midnight is the shop's own, UTC where its clocks are not known.
        cut: so many of the first interactions lie before it.
    """

    def __init__(self, dataset: Dataset, cut: int) -> None:
        log = dataset.interactions
        items, lines = np.unique(log.items, return_index=True)
        order = np.argsort(lines)[np.count_nonzero(lines < cut) :]
        self._items = items[order]
        first_ms = log.ts_ms[lines[order]]
        zone = "UTC" if dataset.shop is None else dataset.shop.zone
        self._listed_ms = np.maximum.accumulate(first_ms - local_ms(first_ms, zone) % MS_PER_DAY)

    def at(self, now_ms: int) -> NDArray[np.int32]:
        """Those on the shelf at this moment, ascending."""
        begin, end = np.searchsorted(self._listed_ms, (now_ms - DAYS * MS_PER_DAY, now_ms), side="right")
        return np.sort(self._items[begin:end])
