"""Queries as people type them, made of what the catalog says of an item: two or three facts, in any order."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.contracts.catalog import CatalogItem
from model_server.finetuning.facts import Postings, attributes_of, title_words

_TRIES: Final = 4  # for each query that is wanted: an item may have nothing to ask by
_BROADEST: Final = 0.05  # of the items: who asks for so many is not looking for one
_FACTS: Final = (2, 3)


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """A text, the items that answer it, ascending, and the one of them that it was made of."""

    text: str
    answers: NDArray[np.int64]
    item: int


class QueryMaker:
    """Makes queries.

    Args:
        catalog: M items.
    """

    def __init__(self, catalog: Sequence[CatalogItem]) -> None:
        # What is a category of one item and a word of another's title is one fact to who asks.
        self._facts = [tuple(dict.fromkeys((*attributes_of(item), *title_words(item)))) for item in catalog]
        self._postings = Postings(self._facts)
        self._broadest = max(1, round(_BROADEST * len(catalog)))

    def make(
        self,
        about: NDArray[np.int64],
        count: int,
        rng: np.random.Generator,
        known: Collection[frozenset[str]] = frozenset(),
    ) -> dict[frozenset[str], Query]:
        """Up to `count` queries by the facts that they are made of.

        Args:
            about: each asks for one of these items, and for all others that fit.
            count: how many are wanted.
            rng: chance.
            known: facts that no query may be made of.
        """
        found: dict[frozenset[str], Query] = {}
        for _ in range(_TRIES * count if len(about) else 0):
            if len(found) == count:
                break
            item = int(rng.choice(about))
            facts = self._facts[item]
            wanted = int(rng.choice(_FACTS))
            if len(facts) < wanted:
                continue
            chosen = [facts[place] for place in rng.permutation(len(facts))[:wanted]]
            key = frozenset(chosen)
            answers = self._postings.with_all(chosen)
            if key not in found and key not in known and len(answers) <= self._broadest:
                found[key] = Query(" ".join(chosen), answers, item)
        return found
