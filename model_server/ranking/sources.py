"""What every source says of every item of the pool, for a batch of users: dense, since each is asked for its best."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from model_server.ranking.counts import PlaceCounts
from model_server.ranking.lines import Moments
from model_server.ranking.own import OwnItems
from model_server.ranking.promotion import Promoted
from model_server.ranking.tables import ItemTables

Scores = NDArray[np.float32]

_NEAREST: Final = 100
_PROMOTION_LIFT: Final = 2.0
# What speaks for a type: what the user has of it, what people like the user have of it, and a little for any type.
_OWN_TYPE, _LIKE_TYPE, _ANY_TYPE = 0.3, 2.0, 0.05
_FEW: Final = np.float32(0.1)
_LITTLE: Final = np.float32(0.02)


@dataclass(frozen=True, slots=True, eq=False)
class Pooled:
    """(B, A) over the pool unless said otherwise.

    Args:
        likeness: EASE over people, of everything the user had.
        people: what the nearest people had.
        people_new: what they had for the first time lately.
        types: (B, T) how much speaks for a type.
        in_type: `types` of the item's type times its share of the type's first purchases.
        blend: likeness times first purchases, more where promoted.
        hot: first purchases of items whose type speaks to the user.
        steady: the same with the type weighing more.
        fresh: (A,) first purchases lately; `usual`: (A,) over a week or two.
        here, first_here: at the place of the moment.
        promoted: `hot` of what is promoted, else 0.
        cart: EASE over baskets, of the cart; None without carts.
        cart_types: (B, T) the same of its types.
    """

    likeness: Scores
    people: Scores
    people_new: Scores
    types: Scores
    in_type: Scores
    blend: Scores
    hot: Scores
    steady: Scores
    fresh: Scores
    usual: Scores
    here: Scores
    first_here: Scores
    promoted: Scores
    cart: Scores | None
    cart_types: Scores | None

    def sources(self) -> Iterator[Scores]:
        """Those that are asked for candidates, (B, A) each; alike where nothing is promoted or known of places."""
        shape = self.likeness.shape
        yield from (self.likeness, self.blend, self.hot, self.people, self.in_type, self.steady)
        yield self.people_new
        yield np.broadcast_to(self.fresh, shape)
        yield np.broadcast_to(self.usual, shape)
        yield from (self.here, self.first_here, self.promoted)
        if self.cart is not None:
            yield self.cart


def pooled(moments: Moments, own: OwnItems, tables: ItemTables, promoted: Promoted) -> Pooled:
    """What the sources say at these moments."""
    pool, counts, users = tables.pool, tables.counts, len(moments)
    had = _matrix(own.owners, own.items, np.ones(len(own.items)), (users, len(tables.facts)))
    likeness = _over_pool(had @ tables.links.likeness, tables)
    types = _types(own, tables, users)
    pool_types = tables.facts.types[pool]
    of_type = types[:, pool_types]
    first, usual = counts.first[pool], counts.first_fast[pool]
    share = first / (np.bincount(pool_types, weights=first)[pool_types] + 1.0)
    on = np.zeros((users, len(pool)), np.bool_)
    place = tables.column_of[promoted.items]
    on[promoted.owners[place >= 0], place[place >= 0]] = True
    people, people_new = _people(own, tables, moments)
    cart, cart_types = _cart(moments, tables)
    hot = np.sqrt(usual + _FEW) * np.sqrt(of_type)
    return Pooled(
        likeness=likeness,
        people=people,
        people_new=people_new,
        types=types,
        in_type=of_type * share.astype(np.float32),
        blend=(np.maximum(likeness, 0) + _LITTLE) * np.sqrt(usual + _FEW) * (1 + np.float32(_PROMOTION_LIFT) * on),
        hot=hot,
        steady=of_type * usual,
        fresh=counts.first_now[pool],
        usual=usual,
        here=_at_places(counts.here, moments, tables),
        first_here=_at_places(counts.first_here, moments, tables),
        promoted=np.where(on, hot, np.float32(0)),
        cart=cart,
        cart_types=cart_types,
    )


def _people(own: OwnItems, tables: ItemTables, moments: Moments) -> tuple[Scores, Scores]:
    """What the hundred nearest people had, the nearer the more, and what of it is new to them.

    TIFU-kNN (Hu et al. 2020, arXiv:2006.00556) without its groups.
    """
    people, columns = tables.people, tables.column_of[own.items]
    kept = columns >= 0
    weights = own.decayed[kept] * people.rarity[columns[kept]]
    vectors = _matrix(own.owners[kept], columns[kept], weights, (len(moments), len(tables.pool)))
    norms = np.sqrt(np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel())
    near = (vectors @ people.vectors).toarray() / np.maximum(norms, np.finfo(np.float32).tiny)[:, None]
    if not near.shape[1]:
        nothing = np.zeros((len(moments), len(tables.pool)), np.float32)
        return nothing, nothing
    # Nobody is their own neighbour.
    found = np.minimum(np.searchsorted(people.users, moments.users), len(people.users) - 1)
    themselves = people.users[found] == moments.users
    near[np.flatnonzero(themselves), found[themselves]] = 0.0
    count = min(_NEAREST, near.shape[1])
    nearest = np.argpartition(-near, count - 1, axis=1)[:, :count]
    weight = np.take_along_axis(near, nearest, axis=1) ** 2
    weight /= np.maximum(weight.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    rows = np.repeat(np.arange(len(moments)), count)
    nearness = _matrix(rows, nearest.ravel(), weight.ravel(), near.shape)
    return _dense(nearness @ people.bought), _dense(nearness @ people.bought_first)


def _types(own: OwnItems, tables: ItemTables, users: int) -> Scores:
    """(B, T) how much speaks for each type."""
    size = tables.links.types.shape[0]
    decayed = np.zeros((users, size), np.float32)
    np.add.at(decayed, (own.owners, tables.facts.types[own.items]), own.decayed.astype(np.float32))
    had = sparse.csr_array((decayed > 0).astype(np.float32))
    like = np.maximum(_dense(had @ tables.links.types), 0)
    scores: Scores = (_OWN_TYPE * np.log1p(decayed) + _LIKE_TYPE * like + _ANY_TYPE).astype(np.float32)
    return scores


def _cart(moments: Moments, tables: ItemTables) -> tuple[Scores, Scores] | tuple[None, None]:
    """What the items of the cart speak for, and its types."""
    if not len(moments.cart_items):
        return None, None
    shape = (len(moments), len(tables.facts))
    carts = _matrix(moments.cart_owners, moments.cart_items, np.ones(len(moments.cart_items)), shape)
    types = np.zeros((len(moments), tables.links.types_together.shape[0]), np.float32)
    types[moments.cart_owners, tables.facts.types[moments.cart_items]] = 1.0
    speaking = sparse.csr_array(types) @ tables.links.types_together
    return _over_pool(carts @ tables.links.together, tables), _dense(speaking)


def _at_places(counts: PlaceCounts, moments: Moments, tables: ItemTables) -> Scores:
    """(B, A) each place's counts are spread out once."""
    places, which = np.unique(moments.places, return_inverse=True)
    keys = places.astype(np.int64)[:, None] * len(tables.facts) + tables.pool
    return counts.at(keys)[which]


def _over_pool(scores: sparse.csr_array, tables: ItemTables) -> Scores:
    return _dense(scores)[:, tables.pool]


def _dense(scores: sparse.csr_array) -> Scores:
    dense: Scores = scores.toarray().astype(np.float32, copy=False)
    return dense


def _matrix(
    rows: NDArray[np.int64], columns: NDArray[np.int64], values: NDArray[Any], shape: tuple[int, ...]
) -> sparse.csr_array:
    return sparse.csr_array((values.astype(np.float32), (rows, columns)), shape=shape)
