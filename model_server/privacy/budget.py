"""How much noise a wanted epsilon takes. What spends it is added up by opacus.

The unit is a person with everything they ever did: two data sets are neighbours if one has one person more. A version
is made of two things that look at people, a noisy popularity (one Gaussian mechanism) and noisy gradients (DP-SGD:
Abadi et al., arXiv:1607.00133); their privacy losses are composed by numerical convolution (Gopi et al.,
arXiv:2106.02848). How many people there are is taken as known.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import numpy as np

from app.errors import DataError, SettingsError

_POPULARITY_SHARE: Final = 0.25  # of epsilon, alone; composition grows like a root, so gradients lose 3 % by it
_TOLERANCE: Final = 0.005  # of the noise
_MOST_NOISE: Final = 1e5


@dataclass(frozen=True, slots=True)
class Mechanism:
    """A Gaussian mechanism, used `steps` times on a Poisson sample.

    Args:
        noise: standard deviation over sensitivity.
        sample_rate: how likely each person is in a sample.
        steps: how often.
    """

    noise: float
    sample_rate: float = 1.0
    steps: int = 1


@dataclass(frozen=True, slots=True)
class Budget:
    """What is added, and what that costs.

    Args:
        epsilon, delta: of everything together.
        popularity: one look at everybody.
        gradients: of all steps.
    """

    epsilon: float
    delta: float
    popularity: Mechanism
    gradients: Mechanism


def delta_for(people: int) -> float:
    """Less than one in so many people."""
    return float(max(people, 2) ** -1.1)


def budget_for(epsilon: float, delta: float, sample_rate: float, steps: int) -> Budget:
    """The least noise with which both mechanisms together stay within epsilon.

    Raises:
        DataError: no noise is enough.
        SettingsError: opacus is not installed.
    """
    popularity = Mechanism(_least_noise(_POPULARITY_SHARE * epsilon, delta, (), Mechanism(1.0)))
    noise = _least_noise(epsilon, delta, (popularity,), Mechanism(1.0, sample_rate, steps))
    gradients = Mechanism(noise, sample_rate, steps)
    return Budget(spent((popularity, gradients), delta), delta, popularity, gradients)


def spent(mechanisms: Sequence[Mechanism], delta: float) -> float:
    """Epsilon of all of them, an upper bound."""
    accountant = opacus("accountants").PRVAccountant()
    accountant.history = [(each.noise, each.sample_rate, each.steps) for each in mechanisms]
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        # It takes logarithms of what it then leaves out, and asks a looser accountant how wide to make its table.
        warnings.filterwarnings("ignore", "Optimal order is the largest alpha")
        return float(accountant.get_epsilon(delta))


def opacus(part: str) -> Any:
    """A module of opacus, whose import takes seconds.

    Raises:
        SettingsError: it is not installed.
    """
    try:
        return import_module(f"opacus.{part}")
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"Private training needs opacus, of which {error.name} is missing.", hint="Run: uv sync --group privacy"
        ) from error


def _least_noise(epsilon: float, delta: float, others: Sequence[Mechanism], wanted: Mechanism) -> float:
    """The least noise of the wanted mechanism with which it and the others stay within epsilon."""

    def costs(noise: float) -> float:
        return spent((*others, Mechanism(noise, wanted.sample_rate, wanted.steps)), delta)

    high = 1.0
    while costs(high) > epsilon:
        high *= 2
        if high > _MOST_NOISE:
            raise DataError(f"No noise is enough for epsilon {epsilon:g}.", hint="Ask for a larger epsilon.")
    low = high / 2 if high > 1 else 0.0
    while high - low > _TOLERANCE * high:
        middle = (low + high) / 2
        low, high = (low, middle) if costs(middle) <= epsilon else (middle, high)
    return high
