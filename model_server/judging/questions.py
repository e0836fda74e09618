"""What a protocol asks: moments, what would have been right at each, and what happens between them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.data.interactions import Interactions
from model_server.judging.cases import Cases

Parameter = str | int | float | bool | None


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """B cases with their answers, which no recommender sees.

    Args:
        cases: what is known at each moment.
        relevant: B arrays of the items that count as right; none is empty, none names an item twice.
        hidden: B arrays of items that are never shown, whatever they score; None: nothing is hidden.
        allowed: B arrays of the only items that may be shown; None: the whole catalog.
        kinds: (B,) what kind of event was predicted, as `Interactions.kinds`; None where it is no single event.
        ratings: (B,) its stars, NaN where it has none; None where it is no single event.
    """

    cases: Cases
    relevant: Sequence[NDArray[np.int32]]
    hidden: Sequence[NDArray[np.int32]] | None = None
    allowed: Sequence[NDArray[np.int32]] | None = None
    kinds: NDArray[np.int8] | None = None
    ratings: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.cases)


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """First the question, if there is one; then `happened` is observed."""

    question: Question | None
    happened: Interactions


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """All that a protocol asks; the same plan serves every recommender.

    Args:
        training: what a recommender may be fitted on.
        cases: how many there will be.
        steps: makes the steps anew, in time order; its argument is the number of cases that a question has at most,
            1 for a recommender that learns from every event.
        parameters: how the protocol was set, for the report.
        live: whether anything happens between the cases; where nothing does, all can be asked many at once.
        groups: name -> (cases,) bool, which of them, in the order of the steps: told apart in the report.
    """

    training: Interactions
    cases: int
    steps: Callable[[int], Iterator[Step]]
    parameters: Mapping[str, Parameter]
    live: bool = True
    groups: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
