"""The features of the pairs (user, item) that a ranker puts in order; NaN where there is nothing to say."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model_server.ranking.affinity import affinity_features, cart_features, source_features
from model_server.ranking.frame import Columns, Frame
from model_server.ranking.groups import Groups
from model_server.ranking.habits import dayparts
from model_server.ranking.user_features import own_features, user_features

FEATURES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "own_count": "interactions of the user with the item",
        "own_occasions": "visits with one",
        "own_decayed": "interactions, .99 a day",
        "own_fast": "newest interactions, .9 a day",
        "own_since": "days since the last",
        "own_first_days": "days since the first",
        "own_rhythm": "days between two visits with it",
        "own_due": "days since the last, in rhythms",
        "own_item_due": "the same, the rhythm leaning on the item's",
        "own_visits_since": "days since the last, in the user's days between visits",
        "own_rate": "visits with it a month",
        "own_here": "had at this place",
        "own_last1": "in the newest visit",
        "own_last2": "in how many of the newest 2",
        "own_last3": "in how many of the newest 3",
        "own_last5": "in how many of the newest 5",
        "own_share": "own_decayed as a share of all the user's",
        "own_place": "place by own_decayed among the candidates",
        "own_hazard": "own_decayed times the item's repeat rate",
        "own_expected": "visits with it to come until the next visit is due, leaning on the item's rate",
        "own_lately": "the same of what is left of it at .99 a day",
        "own_of_type": "place by own_decayed among the own items of its type",
        "user_gap": "the user's days between visits",
        "user_since": "days since the last visit",
        "user_size": "items a visit",
        "user_items": "different items",
        "user_repeats": "share of interactions with something had before",
        "user_days": "days since the user's first interaction",
        "user_new": "share of the items of the last 30 days that are not older",
        "user_here": "share of the newest interactions at this place",
        "popular": "log interactions of everybody, half-life 14 days",
        "popular_now": "half-life 3 days",
        "first": "log first interactions, half-life 28 days",
        "first_fast": "half-life 7 days",
        "first_now": "half-life 3 days",
        "trend": "log popular_now / popular",
        "first_trend": "log first_fast / first",
        "type_share": "share in the popularity of its type",
        "repeat": "share of its buyers who came back for it",
        "rhythm": "usual days between two purchases of one person",
        "rate": "log purchases a day by those who had it",
        "daypart": "log lift at this part of the week",
        "here": "log popularity at this place, half-life 28 days",
        "here_lift": "the same against what its popularity would give",
        "first_here": "log first interactions at this place, half-life 7 days",
        "here_now": "log interactions at this place, half-life 5 days",
        "here_trend": "log here_now / here",
        "price": "log price",
        "price_level": "log price against the user's mean",
        "department": "number of the widest category",
        "type_decayed": "interactions with its type, .99 a day",
        "type_since": "days since the last with its type",
        "type_due": "the same in the user's rhythm of the type",
        "type_items": "different items of its type",
        "type_mine": "own_decayed as a share of type_decayed",
        "category_decayed": "as of the type",
        "category_since": "as of the type",
        "brand_decayed": "as of the type",
        "brand_share": "brand_decayed as a share of all the user's",
        "kind_decayed": "interactions with its brand in its type, .99 a day",
        "kind_since": "days since the last with these",
        "department_share": "interactions with its department as a share of all the user's",
        "type_score": "what speaks for its type",
        "in_type": "type_score times its share of the type's first interactions",
        "likeness": "EASE over people",
        "likeness_place": "place by it among the candidates",
        "people": "what the nearest people had",
        "people_place": "place by it",
        "people_new": "what the nearest people had for the first time lately",
        "blend": "likeness times first interactions and promotion",
        "blend_place": "place by it",
        "steady": "type_score times first interactions",
        "cart_size": "items in the cart",
        "cart_likeness": "EASE over baskets, of the cart",
        "cart_mean": "the same over the root of its size",
        "cart_type": "items of its type in the cart",
        "cart_visits": "newest visits with it, by likeness to the cart",
        "cart_together": "how often it and the cart's items met in the newest visits",
        "cart_last": "items in the cart that were last had on the same visit as it",
        "cart_types": "EASE over the types of baskets, of the cart's",
        "cart_department": "items of its department in the cart",
        "display": "where it stands in the shop's displays; 0: not there",
        "mailer": "where it stands in the leaflet; 0: not there",
    }
)
"""Name -> meaning, in the order of the columns."""


def features(frame: Frame) -> NDArray[np.float32]:
    """(C, F) in the order of `FEATURES`."""
    columns: Columns = {}
    for part in _PARTS:
        columns |= part(frame)
    matrix = np.empty((len(frame.pairs), len(FEATURES)), np.float32)
    for place, name in enumerate(FEATURES):
        matrix[:, place] = columns[name]
    return matrix


def _item(frame: Frame) -> Columns:
    counts, habits, facts, items = frame.tables.counts, frame.tables.habits, frame.tables.facts, frame.pairs.items
    of_type = np.bincount(facts.types, weights=counts.popular)[facts.types[items]]
    popular, first, fast = counts.popular[items], counts.first[items], counts.first_fast[items]
    parts = dayparts(frame.moments.now_ms, frame.tables.zone)[frame.pairs.owners]
    return {
        "popular": np.log1p(popular),
        "popular_now": np.log1p(counts.popular_now[items]),
        "first": np.log1p(first),
        "first_fast": np.log1p(fast),
        "first_now": np.log1p(counts.first_now[items]),
        "trend": np.log((counts.popular_now[items] + 1) / (popular + 3)),
        "first_trend": np.log((fast + 0.5) / (first + 2)),
        "type_share": popular / np.maximum(of_type, 1e-6),
        "repeat": habits.repeat[items],
        "rhythm": habits.rhythm_days[items],
        "rate": np.log(habits.rate[items]),
        "daypart": habits.dayparts[items, parts],
        "department": facts.departments[items],
    }


def _place(frame: Frame) -> Columns:
    counts, moments, span = frame.tables.counts, frame.moments, len(frame.tables.facts)
    keys = moments.places[frame.pairs.owners].astype(np.int64) * span + frame.pairs.items
    here = counts.here.at(keys)
    now = counts.here_now.at(keys)
    places, which = np.unique(moments.places, return_inverse=True)
    sums = np.array([counts.here.sum_of(int(place), span) for place in places])[which]
    share = counts.popular[frame.pairs.items] / max(float(counts.popular.sum()), 1e-6)
    return {
        "here": np.log1p(here),
        "here_lift": np.log((here + 1) / (sums[frame.pairs.owners] * share + 1)),
        "first_here": np.log1p(counts.first_here.at(keys)),
        "here_now": np.log1p(now),
        "here_trend": np.log((now + 0.5) / (here + 1)),
    }


def _promotion(frame: Frame) -> Columns:
    promoted = frame.promoted
    found = Groups.of(promoted.owners * len(frame.tables.facts) + promoted.items, frame.keys)
    return {"display": found.most(promoted.displays, 0.0), "mailer": found.most(promoted.mailers, 0.0)}


_PARTS: Final[tuple[Callable[[Frame], Columns], ...]] = (
    own_features,
    user_features,
    _item,
    _place,
    affinity_features,
    source_features,
    cart_features,
    _promotion,
)
