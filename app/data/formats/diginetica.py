"""Diginetica (CIKM Cup 2016): a session's item views and purchases, times in milliseconds since the session began.

A session is a user here, as in the papers; most sessions name no user. Titles are hashed, so there are none.
"""

from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from app.contracts.catalog import CatalogItem
from app.data.columns import whole_numbers
from app.data.formats.raw import RawLog, batch
from app.data.formats.text import Layout, delimited, head, plain_or_packed
from app.data.times import times_ms
from app.interests.state import Kind

VIEWS: Final = "train-item-views.csv"
PURCHASES: Final = "train-purchases.csv"
_PRODUCTS_FILE: Final = "products.csv"
_CATEGORIES_FILE: Final = "product-categories.csv"
_PRODUCTS: Final = Layout(wanted=("itemId", "pricelog2"), delimiter=";")
_CATEGORIES: Final = Layout(wanted=("itemId", "categoryId"), delimiter=";")


def open_diginetica(path: Path) -> RawLog:
    """The views alone, the purchases alone, or the folder with both; products and categories from beside them."""
    folder = path if path.is_dir() else path.parent
    both = (plain_or_packed(path / VIEWS), plain_or_packed(path / PURCHASES))
    logs = tuple(one for one in both if one.is_file()) if path.is_dir() else (path,)
    products, categories = (plain_or_packed(folder / name) for name in (_PRODUCTS_FILE, _CATEGORIES_FILE))
    known = tuple(one for one in (products, categories) if one.is_file())
    catalog = partial(_catalog, products, categories)
    return RawLog(files=(*logs, *known), batches=_batches(logs), catalog=catalog)


def _batches(files: tuple[Path, ...]) -> Iterator[pa.RecordBatch]:
    for path in files:
        # The same file circulates with two spellings of its header.
        header = head(path, lines=1)
        session, item = ("session_id", "item_id") if header and "session_id" in header[0] else ("sessionId", "itemId")
        kind = Kind.PURCHASE if "purchase" in path.name else Kind.VIEW
        layout = Layout(wanted=(session, item, "timeframe", "eventdate"), delimiter=";")
        for columns in delimited(path, layout):
            since_start = whole_numbers(columns["timeframe"]).to_numpy()
            yield batch(
                users=whole_numbers(columns[session]),
                items=whole_numbers(columns[item]),
                ts_ms=times_ms(columns["eventdate"]) + since_start,
                kinds=np.full(len(since_start), kind, dtype=np.int8),
            )


def _catalog(products: Path, categorised: Path, touched: Collection[str]) -> tuple[CatalogItem, ...]:
    """The touched items of which a price or a category is known."""
    prices = _values(products, _PRODUCTS, touched)
    categories = _values(categorised, _CATEGORIES, touched)
    return tuple(
        CatalogItem(
            item_id=item_id,
            title=item_id,
            category=(categories[item_id],) if categories.get(item_id) else (),
            price=_price(prices.get(item_id)),
        )
        for item_id in sorted(prices.keys() | categories.keys(), key=int)
    )


def _values(path: Path, layout: Layout, touched: Collection[str]) -> dict[str, str]:
    """Item -> value, of the touched items; nothing where there is no such file."""
    if not path.is_file():
        return {}
    found: dict[str, str] = {}
    for columns in delimited(path, layout):
        items, values = (columns[name].cells() for name in layout.wanted)
        found |= {item: value for item, value in zip(items, values, strict=True) if item in touched}
    return found


def _price(log2: str | None) -> float | None:
    """Prices are published as whole logarithms to base 2; 0 is said of everything from nothing to one."""
    try:
        return float(2 ** int(log2 or ""))
    except (ValueError, OverflowError):
        return None
