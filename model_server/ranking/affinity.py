"""Features that look past the item itself: its type, category, brand and price; its likes; the cart."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.data.local_time import MS_PER_DAY
from model_server.ranking.frame import LONG_AGO, Columns, Frame
from model_server.ranking.groups import Groups, Numbers, places_within
from model_server.ranking.lines import VISIT_GAP_MS

_MOST_VISITS: Final = 1_000
_CART: Final = (
    "cart_size",
    "cart_likeness",
    "cart_mean",
    "cart_type",
    "cart_visits",
    "cart_together",
    "cart_last",
    "cart_types",
    "cart_department",
)


def affinity_features(frame: Frame) -> Columns:
    """What the user had of the same type, category and brand, and at what prices."""
    own, facts, pairs = frame.own, frame.tables.facts, frame.pairs
    types, categories, brands = (frame.grouped(each) for each in (facts.types, facts.categories, facts.brands))
    of_type, of_brand = types.summed(own.decayed), brands.summed(own.decayed)
    since = types.least(own.last_days, LONG_AGO)
    occasions = types.summed(own.occasions)
    kinds = frame.grouped(facts.types * (np.int64(facts.brands.max(initial=0)) + 1) + facts.brands)
    rhythm = (types.most(own.first_days, np.nan) - since) / np.maximum(occasions - 1, 1)
    owner_sums = frame.decayed_of_owner
    log_prices = np.log1p(facts.prices.astype(np.float64))
    spent = np.bincount(own.owners, weights=own.decayed * log_prices[own.items], minlength=len(frame.moments))
    return {
        "type_decayed": of_type,
        "type_since": since,
        "type_due": np.where(occasions > 1, since / np.maximum(rhythm, 0.5), np.nan),
        "type_items": types.summed(np.ones(len(own.owners))),
        "type_mine": frame.in_own.summed(own.decayed) / np.maximum(of_type, 1e-6),
        "category_decayed": categories.summed(own.decayed),
        "category_since": categories.least(own.last_days, LONG_AGO),
        "brand_decayed": of_brand,
        "brand_share": of_brand / owner_sums[pairs.owners],
        "kind_decayed": kinds.summed(own.decayed),
        "kind_since": kinds.least(own.last_days, LONG_AGO),
        "department_share": frame.grouped(facts.departments).summed(own.decayed) / owner_sums[pairs.owners],
        "price": log_prices[pairs.items],
        "price_level": log_prices[pairs.items] - (spent / owner_sums)[pairs.owners],
    }


def source_features(frame: Frame) -> Columns:
    """What the sources said."""
    said, owners = frame.said, frame.pairs.owners
    likeness, people, blend = (frame.pooled(each) for each in (said.likeness, said.people, said.blend))
    return {
        "type_score": said.types[owners, frame.tables.facts.types[frame.pairs.items]],
        "in_type": frame.pooled(said.in_type),
        "likeness": likeness,
        "likeness_place": places_within(owners, likeness),
        "people": people,
        "people_place": places_within(owners, people),
        "people_new": frame.pooled(said.people_new),
        "blend": blend,
        "blend_place": places_within(owners, blend),
        "steady": frame.pooled(said.steady),
    }


def cart_features(frame: Frame) -> Columns:
    """What the cart speaks for; zeros without one."""
    moments, facts, pairs = frame.moments, frame.tables.facts, frame.pairs
    sizes = moments.cart_sizes
    if frame.said.cart is None or frame.said.cart_types is None:
        return {name: np.zeros(len(pairs)) for name in _CART}
    likeness = frame.pooled(frame.said.cart)
    visits, together = _visits_like_the_cart(frame)
    return {
        "cart_size": sizes[pairs.owners],
        "cart_likeness": likeness,
        "cart_mean": likeness / np.sqrt(np.maximum(sizes, 1))[pairs.owners],
        "cart_type": _like_it_in_cart(frame, facts.types),
        "cart_visits": visits,
        "cart_together": together,
        "cart_last": frame.in_own.summed(_last_had_with_the_cart(frame)),
        "cart_types": frame.said.cart_types[pairs.owners, facts.types[pairs.items]],
        "cart_department": _like_it_in_cart(frame, facts.departments),
    }


def _like_it_in_cart(frame: Frame, group_of_item: NDArray[np.int32]) -> Numbers:
    """(C,) items of its group in the cart."""
    moments, pairs, span = frame.moments, frame.pairs, int(group_of_item.max(initial=0)) + 1
    carts = moments.cart_owners * span + group_of_item[moments.cart_items]
    return Groups.of(carts, pairs.owners * span + group_of_item[pairs.items]).summed(np.ones(len(carts)))


def _last_had_with_the_cart(frame: Frame) -> Numbers:
    """(P,) of the own items: how many of the cart's were last had on the visit on which it was last had."""
    own, moments, span = frame.own, frame.moments, len(frame.tables.facts)
    order = np.lexsort((own.last_days, own.owners))
    other = (np.diff(own.owners[order], prepend=-1) != 0) | (
        np.diff(own.last_days[order], prepend=0) > VISIT_GAP_MS / MS_PER_DAY
    )
    visit = np.empty(len(order), np.int64)
    visit[order] = np.cumsum(other)
    in_cart = np.isin(own.owners * span + own.items, moments.cart_owners * span + moments.cart_items)
    return np.bincount(visit, weights=in_cart).astype(np.float64)[visit]


def _visits_like_the_cart(frame: Frame) -> tuple[Numbers, Numbers]:
    """(C,) each: over the newest visits with the item, their cosine with the cart, and the items both have."""
    lines, moments, span = frame.newest, frame.moments, len(frame.tables.facts)
    in_cart = np.isin(lines.owners * span + lines.items, moments.cart_owners * span + moments.cart_items)
    _, visit = np.unique(lines.owners * _MOST_VISITS + lines.visits_ago, return_inverse=True)
    common = np.bincount(visit, weights=in_cart)[visit]
    sizes = np.bincount(visit)[visit] * np.maximum(moments.cart_sizes, 1)[lines.owners]
    items = Groups.of(lines.owners * span + lines.items, frame.keys)
    return items.summed(common / np.sqrt(sizes)), items.summed(common)
