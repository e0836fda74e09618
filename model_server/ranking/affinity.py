"""Features that look past the item itself: its type, category, brand and price; its likes; the cart."""

from typing import Final

import numpy as np

from model_server.ranking.frame import LONG_AGO, Columns, Frame
from model_server.ranking.groups import Groups, Numbers, places_within

_MOST_VISITS: Final = 1_000


def affinity_features(frame: Frame) -> Columns:
    """What the user had of the same type, category and brand, and at what prices."""
    own, facts, pairs = frame.own, frame.tables.facts, frame.pairs
    types, categories, brands = (frame.grouped(each) for each in (facts.types, facts.categories, facts.brands))
    of_type, of_brand = types.summed(own.decayed), brands.summed(own.decayed)
    since = types.least(own.last_days, LONG_AGO)
    occasions = types.summed(own.occasions)
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
        "blend": blend,
        "blend_place": places_within(owners, blend),
        "steady": frame.pooled(said.steady),
    }


def cart_features(frame: Frame) -> Columns:
    """What the cart speaks for; zeros without one."""
    moments, facts, pairs = frame.moments, frame.tables.facts, frame.pairs
    sizes = moments.cart_sizes
    names = ("cart_size", "cart_likeness", "cart_mean", "cart_type", "cart_visits", "cart_together")
    if frame.said.cart is None:
        return {name: np.zeros(len(pairs)) for name in names}
    likeness = frame.pooled(frame.said.cart)
    span = int(facts.types.max(initial=0)) + 1
    in_cart = Groups.of(
        moments.cart_owners * span + facts.types[moments.cart_items], pairs.owners * span + facts.types[pairs.items]
    )
    visits, together = _visits_like_the_cart(frame)
    return {
        "cart_size": sizes[pairs.owners],
        "cart_likeness": likeness,
        "cart_mean": likeness / np.sqrt(np.maximum(sizes, 1))[pairs.owners],
        "cart_type": in_cart.summed(np.ones(len(moments.cart_items))),
        "cart_visits": visits,
        "cart_together": together,
    }


def _visits_like_the_cart(frame: Frame) -> tuple[Numbers, Numbers]:
    """(C,) each: over the newest visits with the item, their cosine with the cart, and the items both have."""
    lines, moments, span = frame.newest, frame.moments, len(frame.tables.facts)
    in_cart = np.isin(lines.owners * span + lines.items, moments.cart_owners * span + moments.cart_items)
    _, visit = np.unique(lines.owners * _MOST_VISITS + lines.visits_ago, return_inverse=True)
    common = np.bincount(visit, weights=in_cart)[visit]
    sizes = np.bincount(visit)[visit] * np.maximum(moments.cart_sizes, 1)[lines.owners]
    items = Groups.of(lines.owners * span + lines.items, frame.keys)
    return items.summed(common / np.sqrt(sizes)), items.summed(common)
