"""Which recommenders take part, by name: riverrun's own, of a training or of versions, and the baselines."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from app.errors import DataError
from model_server.evaluation.baselines.context import Context
from model_server.evaluation.baselines.registry import BASELINES
from model_server.evaluation.basket import Task
from model_server.judging.cases import Fit

RIVERRUN: Final = "riverrun"
NETWORK: Final = "network"
LISTS: Final = "lists"
OWN: Final = (RIVERRUN, NETWORK, LISTS)
"""What is made of a model version: its blend, its network alone, and the lists that a shopper gets, with the places
that they reserve for new items."""

RELEARNING: Final = "@relearning"
"""Suffix of one that is trained anew as time goes on."""

_CHEAP: Final = ("popularity", "decayed-popularity", "covisitation")
_CHEAP_OF_COLD: Final = ("content", "decayed-popularity")
_CHEAP_OF_BASKETS: Final = ("decayed-popularity", "own-frequency")
_CHEAP_OF_NEW: Final = ("decayed-popularity",)  # of one's own nothing is new

_NO_CHANCE: Final = frozenset(
    {
        *("popularity", "decayed-popularity", "own-frequency", "own-baskets", "covisitation"),
        *("item-knn", "ease", "co-purchase", "basket-ease", "content"),
    }
)


@dataclass(frozen=True, slots=True)
class Contestant:
    """A recommender that takes part.

    Args:
        name: in tables.
        seeds: those with which it is made, one where chance has no part in it.
        fit: makes it of a seed and a training part.
    """

    name: str
    seeds: tuple[int, ...]
    fit: Callable[[int], Fit]


OwnFits = Mapping[str, Callable[[str], Callable[[int], Fit]]]
"""Suffix of the name ("" for the only one) -> name in OWN -> how it is made of a seed."""


def default_models(protocol: str, task: str, own: OwnFits) -> tuple[str, ...]:
    """riverrun, where it can be made, and baselines that cost seconds."""
    if protocol == "cold":
        return ((LISTS, RIVERRUN) if own else ()) + _CHEAP_OF_COLD
    if task == Task.NEW:
        return ((RIVERRUN, LISTS) if own else ()) + _CHEAP_OF_NEW
    return ((RIVERRUN,) if own else ()) + (_CHEAP_OF_BASKETS if protocol == "basket" else _CHEAP)


def contestants(
    models: Sequence[str], own: OwnFits, context: Context, seeds: tuple[int, ...], *, trained: bool
) -> list[Contestant]:
    """The recommenders of these names in their order.

    Args:
        models: names.
        own: how riverrun's own are made; empty: they cannot be.
        context: for the baselines; its seed is set to each of `seeds`.
        seeds: see `Contestant`.
        trained: riverrun's own are trained, once for each seed.

    Raises:
        DataError: there is no such model, or it cannot be made here.
    """
    found: list[Contestant] = []
    for name in dict.fromkeys(models):
        if name in OWN:
            if not own:
                raise DataError(f"There is nothing to make {name} of.", hint="Say --train, or --version FOLDER.")
            own_seeds = seeds if trained else seeds[:1]
            found += [Contestant(name + suffix, own_seeds, make(name)) for suffix, make in own.items()]
        else:
            found.append(_baseline(name, context, seeds))
    return found


def _baseline(name: str, context: Context, seeds: tuple[int, ...]) -> Contestant:
    if name not in BASELINES:
        near = difflib.get_close_matches(name, [*OWN, *BASELINES], n=1)
        guess = f" Did you mean {near[0]}?" if near else ""
        raise DataError(f"There is no model {name!r}.{guess}", hint=f"There are {', '.join([*OWN, *BASELINES])}.")
    factory = BASELINES[name]
    used = seeds[:1] if name in _NO_CHANCE else seeds
    return Contestant(name, used, lambda seed: factory(replace(context, seed=seed)))
