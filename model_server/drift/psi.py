"""The population stability index of two histograms. Pure.

PSI = sum over bins of (a - e) * ln(a / e), e the expected share of a bin and a the one found (Lewis, 1994, An
Introduction to Credit Scoring; it is the symmetric Kullback-Leibler divergence). By custom: below .1 nothing has
changed, from .25 on it has. Of two samples of n and m from the same source with K bins it is about (K - 1)(1/n + 1/m).
"""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

_PRIOR: Final = 0.5  # of a case in every bin (Jeffreys), so that an empty one costs no infinity


def psi(expected: ArrayLike, found: ArrayLike) -> float:
    """PSI of two histograms.

    Args:
        expected: (K,) counts, not negative.
        found: (K,) counts in the same bins.

    Returns:
        0 for the same shares, or where either is empty: nothing can be said then.
    """
    before, now = np.asarray(expected, np.float64), np.asarray(found, np.float64)
    if not before.sum() or not now.sum():
        return 0.0
    shares_before, shares_now = ((each + _PRIOR) / (each + _PRIOR).sum() for each in (before, now))
    return float(((shares_now - shares_before) * np.log(shares_now / shares_before)).sum())
