"""Which number a person has in a ranker's log, by the fingerprint of their id. Whole columns at a time."""

import numpy as np
from numpy.typing import NDArray

NOBODY = -1
_ERASED = 0


class PeopleNumbers:
    """See the module.

    Args:
        fingerprints: (U,) by number.
    """

    def __init__(self, fingerprints: NDArray[np.int64]) -> None:
        self._of = fingerprints.copy()
        self._order = np.argsort(self._of)

    def __len__(self) -> int:
        return len(self._of)

    def find(self, fingerprints: NDArray[np.int64]) -> NDArray[np.int64]:
        """(E,) their numbers, `NOBODY` for strangers."""
        if not len(self._of):
            return np.full(len(fingerprints), NOBODY, np.int64)
        places = np.minimum(np.searchsorted(self._of, fingerprints, sorter=self._order), len(self._of) - 1)
        numbers = self._order[places]
        return np.where(self._of[numbers] == fingerprints, numbers, NOBODY)

    def welcome(self, fingerprints: NDArray[np.int64]) -> NDArray[np.int64]:
        """The same; strangers get the next numbers."""
        strangers = np.unique(fingerprints[self.find(fingerprints) == NOBODY])
        if len(strangers):
            self._of = np.concatenate((self._of, strangers))
            self._order = np.argsort(self._of)
        return self.find(fingerprints)

    def forget(self, numbers: NDArray[np.int64]) -> None:
        """Whoever had these is a stranger from now on."""
        self._of[numbers] = _ERASED
        self._order = np.argsort(self._of)

    def keep(self, numbers: NDArray[np.int64]) -> None:
        """These (K,) people only, numbered anew in this order."""
        self._of = self._of[numbers]
        self._order = np.argsort(self._of)

    def fingerprints(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """By number."""
        return self._of[numbers]
