"""One list from its sources' candidates, and the name of a set of lists."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice

from app.contracts.recommendations import RecommendedItem
from app.surfaces.surface import Source, Surface

Candidates = Callable[[Source], Iterable[RecommendedItem]]
"""A source's candidates for one user, the best first, hidden ones left out; read no further than needed."""


def compose(surface: Surface, candidates: Candidates) -> tuple[RecommendedItem, ...]:
    """Fill the list: sources without slots in their order, reserved slots spread evenly, no item twice.

    Of R slots each ends one R-th of the list: people look at the first places, and two at the end would be seen by few.
    A source that cannot fill its reserved slots leaves them to the others.
    """
    chosen: dict[str, RecommendedItem] = {}
    reserved = sum(spec.slots or 0 for spec in surface.sources)
    # A source is asked when its turn comes: most lists are full before the last.
    filling = chain.from_iterable(candidates(spec.source) for spec in surface.sources if spec.slots is None)
    _take(filling, chosen, surface.size - reserved)
    free = len(chosen)
    for spec in surface.sources:
        if spec.slots is not None:
            _take(iter(candidates(spec.source)), chosen, len(chosen) + spec.slots)
    if free == len(chosen):  # nothing was reserved, or it could not be filled
        _take(filling, chosen, surface.size)
        return tuple(chosen.values())
    placed = len(chosen)
    _take(filling, chosen, surface.size)
    items = list(chosen.values())
    row = items[:free] + items[placed:]
    for number, item in enumerate(items[free:placed], start=1):
        row.insert(number * surface.size // reserved - 1, item)
    return tuple(row)


def recommendation_id(user_id: str, state_version: int, model_version: str, variant: str) -> str:
    """The same state scored by the same model has the same id, so that a repetition is recognised as one."""
    name = "\x00".join((user_id, str(state_version), model_version, variant))
    return hashlib.blake2b(name.encode(), digest_size=12).hexdigest()


def _take(candidates: Iterator[RecommendedItem], chosen: dict[str, RecommendedItem], until: int) -> None:
    # As many at a time as are missing: a candidate taken from the iterator and left would be lost to the next call.
    while missing := until - len(chosen):
        taken = list(islice(candidates, missing))
        for candidate in taken:
            chosen.setdefault(candidate.item_id, candidate)
        if len(taken) < missing:
            return
