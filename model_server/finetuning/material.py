"""Everything that fine-tuning works with, made once from a data set: texts, pairs, queries, cases."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.contracts.catalog import CatalogItem, item_text
from app.data.interactions import Interactions
from model_server.finetuning.batches import Batches, Sizes
from model_server.finetuning.covisits import count_covisits
from model_server.finetuning.facts import attributes_of
from model_server.finetuning.options import FinetuningOptions
from model_server.finetuning.queries import QueryMaker
from model_server.finetuning.universe import choose_items
from model_server.finetuning.validation import ColdCases, QueryCases, cold_cases, query_cases
from model_server.model.sequences import NEGATIVE_KINDS

_VALIDATION_QUERIES = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """See the module.

    Args:
        texts: of M items, then of the queries.
        items: M.
        batches: to learn from.
        queries: to validate on; each was made of a held-out item, and none like it is learned from.
        cold: to validate on.
    """

    texts: list[str]
    items: int
    batches: Batches
    queries: QueryCases
    cold: ColdCases


def make_material(
    log: Interactions, catalog: Sequence[CatalogItem], options: FinetuningOptions, rng: np.random.Generator
) -> Material:
    """From what may be learned from; the catalog is in the order of `log.item_ids`.

    What turns an item down is left out: things that somebody disliked do not go together.
    """
    liked = log.take(~np.isin(log.kinds, sorted(NEGATIVE_KINDS)))
    universe = choose_items(liked, options.items, options.cold_share, rng)
    items = [catalog[place] for place in universe.items]
    warm, cold = np.flatnonzero(~universe.cold), np.flatnonzero(universe.cold)
    maker = QueryMaker(items)
    asked = maker.make(cold, _VALIDATION_QUERIES, rng)
    learned = list(maker.make(warm, options.queries, rng, known=asked).values())
    held_out = list(asked.values())
    of_queries = round(options.query_share * options.pairs)
    batches = Batches(
        count_covisits(universe.learnable()),
        learned,
        _twins(items),
        warm,
        Sizes(options.pairs, of_queries, options.hard),
    )
    return Material(
        texts=[*map(item_text, items), *(query.text for query in (*learned, *held_out))],
        items=len(items),
        batches=batches,
        queries=query_cases(held_out, len(items) + len(learned)),
        cold=cold_cases(universe, rng),
    )


def _twins(items: Sequence[CatalogItem]) -> NDArray[np.int64]:
    """(M,) the same number for items that say the same of themselves but for the title."""
    number: dict[tuple[str, ...], int] = {}
    said = ((facts if (facts := attributes_of(item)) else (item.title.lower(),)) for item in items)
    return np.array([number.setdefault(facts, len(number)) for facts in said], dtype=np.int64)
