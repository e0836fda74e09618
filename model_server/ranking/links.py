"""What speaks for what: items for items and types for types, over people and over baskets; and people like these.

The pool is what may be shown to somebody who never had it: items that enough people bought.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from app.data.interactions import Interactions
from app.data.local_time import MS_PER_DAY
from model_server.counts.ease import EaseOptions, ease
from model_server.counts.matrices import basket_items, user_items
from model_server.ranking.facts import ItemFacts
from model_server.ranking.own import DECAY_A_DAY

LEAST_BUYERS: Final = 8
MOST_PEOPLE: Final = 5_000
_LIKENESS: Final = EaseOptions(regularisation=200.0, neighbours=200)
_TOGETHER: Final = EaseOptions(regularisation=100.0, neighbours=200)
_TYPES: Final = EaseOptions(regularisation=100.0, neighbours=4_000, max_items=4_000)
_RARITY_START: Final = 5.0
_NEW_DECAY_A_DAY: Final = 0.95
_NEW_FOR_DAYS: Final = 60


@dataclass(frozen=True, slots=True, eq=False)
class Links:
    """Bounded EASE tables, learned once.

    Args:
        likeness: (N, N) people who had the row also had the column.
        together: (N, N) baskets with the row also hold the column.
        types: (T, T) people who had something of the row's type also had something of the column's.
        types_together: (T, T) the same of baskets.
    """

    likeness: sparse.csr_array
    together: sparse.csr_array
    types: sparse.csr_array
    types_together: sparse.csr_array


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """A sample of U people at the time of fitting, over the A items of the pool; float32.

    Args:
        users: (U,) their numbers, rising.
        rarity: (A,) what a purchase says of a person: less the more people buy it.
        vectors: (A, U) decayed purchases times rarity, columns of length 1.
        bought: (U, A) decayed purchases, at most 1.
        bought_first: (U, A) first purchases, .95 a day.
    """

    users: NDArray[np.int64]
    rarity: NDArray[np.float32]
    vectors: sparse.csr_array
    bought: sparse.csr_array
    bought_first: sparse.csr_array


def learn_links(log: Interactions, facts: ItemFacts) -> Links:
    """From everything people did; about ten seconds for each of the two item tables at 6,000 items."""
    of_people, of_baskets = user_items(log), basket_items(log)
    items, types = len(facts), int(facts.types.max(initial=-1)) + 1
    type_of = sparse.csr_array((np.ones(items, np.float32), (np.arange(items), facts.types)), shape=(items, types))
    return Links(
        likeness=ease(of_people, _LIKENESS).matrix(),
        together=ease(of_baskets, _TOGETHER).matrix(),
        types=ease(_ones(of_people @ type_of), _TYPES).matrix(),
        types_together=ease(_ones(of_baskets @ type_of), _TYPES).matrix(),
    )


def _ones(counts: sparse.csr_array) -> sparse.csr_array:
    ones = sparse.csr_array(counts)
    ones.data[:] = 1.0
    return ones


def pool_of(buyers: NDArray[np.float32]) -> NDArray[np.int64]:
    """(A,) the items that at least eight people had, rising."""
    return np.flatnonzero(buyers >= LEAST_BUYERS).astype(np.int64)


def sample_people(
    log: Interactions, first: NDArray[np.bool_], pool: NDArray[np.int64], buyers: NDArray[np.float32], now_ms: int
) -> People:
    """The 5,000 people who did something last, with what they had of the pool."""
    newest = np.full(len(log.user_ids), -1, np.int64)
    np.maximum.at(newest, log.users, log.ts_ms)
    users = np.sort(np.argsort(-newest, kind="stable")[:MOST_PEOPLE])
    users = users[newest[users] >= 0]
    row_of, column_of = _places(users, len(newest)), _places(pool, len(buyers))
    rows, columns = row_of[log.users], column_of[log.items]
    kept = (rows >= 0) & (columns >= 0)
    rows, columns, days = rows[kept], columns[kept], (now_ms - log.ts_ms[kept]) / MS_PER_DAY
    shape = (len(users), len(pool))
    decayed = sparse.csr_array(((DECAY_A_DAY**days).astype(np.float32), (rows, columns)), shape=shape)
    decayed.sum_duplicates()
    new = first[kept] & (days < _NEW_FOR_DAYS)
    weights = (_NEW_DECAY_A_DAY ** days[new]).astype(np.float32)
    bought_first = sparse.csr_array((weights, (rows[new], columns[new])), shape=shape)
    rarity = (np.log(_RARITY_START + buyers[pool]) ** -2).astype(np.float32)
    vectors, bought = decayed.copy(), decayed.copy()
    vectors.data *= rarity[vectors.indices]
    norms = np.sqrt(np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel())
    vectors.data /= np.repeat(np.maximum(norms, np.finfo(np.float32).tiny), np.diff(vectors.indptr))
    np.minimum(bought.data, 1.0, out=bought.data)
    return People(users.astype(np.int64), rarity, sparse.csr_array(vectors.T), bought, bought_first)


def without(people: People, users: NDArray[np.int64]) -> People:
    """Without these, given by their numbers."""
    kept = np.flatnonzero(~np.isin(people.users, users))
    if len(kept) == len(people.users):
        return people
    return replace(
        people,
        users=people.users[kept],
        vectors=sparse.csr_array(people.vectors[:, kept]),
        bought=sparse.csr_array(people.bought[kept]),
        bought_first=sparse.csr_array(people.bought_first[kept]),
    )


def _places(chosen: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """(size,) where each number stands in `chosen`, -1 for those that are not there."""
    places = np.full(size, -1, np.int64)
    places[chosen] = np.arange(len(chosen))
    return places
