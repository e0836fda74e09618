"""RetailRocket: `events.csv` of a shop's visitors; categories and prices from the files beside it.

Everything but ids, times and the categories is hashed: items have no titles. Of the properties the newest value
counts, so a price is the one at the end of the log.
"""

from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from app.contracts.catalog import CatalogItem
from app.data.columns import kinds, whole_numbers
from app.data.formats.raw import RawLog, batch
from app.data.formats.text import Layout, delimited, plain_or_packed
from app.data.times import times_ms
from app.interests.state import Kind

_KINDS: Final[dict[str, int]] = {
    "view": Kind.VIEW,
    "addtocart": Kind.ADD_TO_CART,
    "transaction": Kind.PURCHASE,
}
_EVENTS: Final = Layout(
    wanted=("timestamp", "visitorid", "event", "itemid"), example="1433221332117,257597,view,355908,"
)
_PROPERTIES: Final = Layout(wanted=("timestamp", "itemid", "property", "value"))
_TREE: Final = Layout(wanted=("categoryid", "parentid"))
_CATEGORY: Final = "categoryid"
_PRICE: Final = "790"
_DEEPEST: Final = 32


def open_retailrocket(path: Path) -> RawLog:
    """`events.csv`, or the folder it lies in."""
    events = plain_or_packed(path / "events.csv") if path.is_dir() else path
    found = {one.name.removesuffix(".gz") for one in events.parent.glob("item_properties*.csv*")}
    properties = tuple(plain_or_packed(events.with_name(name)) for name in sorted(found) if name.endswith(".csv"))
    tree = tuple(one for one in [plain_or_packed(events.with_name("category_tree.csv"))] if one.is_file())
    return RawLog(
        files=(events, *properties, *tree),
        batches=_batches(events),
        catalog=partial(_catalog, properties, tree),
    )


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    for columns in delimited(path, _EVENTS):
        yield batch(
            users=whole_numbers(columns["visitorid"]),
            items=whole_numbers(columns["itemid"]),
            ts_ms=times_ms(columns["timestamp"]),
            kinds=kinds(columns["event"], _KINDS),
        )


def _catalog(properties: tuple[Path, ...], tree: tuple[Path, ...], touched: Collection[str]) -> tuple[CatalogItem, ...]:
    """The touched items of which a category or a price is known."""
    parents = {child: parent for path in tree for child, parent in _parents(path).items()}
    categories, prices = _newest_values(properties, touched)
    return tuple(
        CatalogItem(
            item_id=item_id,
            title=item_id,
            category=_path(categories.get(item_id), parents),
            price=_price(prices.get(item_id)),
        )
        for item_id in sorted(categories.keys() | prices.keys(), key=int)
    )


def _newest_values(paths: tuple[Path, ...], touched: Collection[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Item -> newest category, and item -> newest price, of the touched items."""
    found: dict[str, dict[str, tuple[int, str]]] = {_CATEGORY: {}, _PRICE: {}}
    wanted, items = pa.array(list(found)), pa.array(list(touched), pa.string())
    for path in paths:
        for columns in delimited(path, _PROPERTIES):
            table = pa.table({name: column.values for name, column in columns.items()})
            is_wanted = pc.and_(pc.is_in(table["property"], wanted), pc.is_in(table["itemid"], items))
            for row in table.filter(is_wanted).to_pylist():
                newest = found[row["property"]]
                if int(row["timestamp"]) >= newest.get(row["itemid"], (-1, ""))[0]:
                    newest[row["itemid"]] = (int(row["timestamp"]), row["value"])
    category, price = ({item: value for item, (_, value) in found[name].items()} for name in (_CATEGORY, _PRICE))
    return category, price


def _parents(path: Path) -> dict[str, str]:
    """Category -> the one above it; none for the roots."""
    rows = [columns for columns in delimited(path, _TREE)]
    pairs = (pair for one in rows for pair in zip(one["categoryid"].cells(), one["parentid"].cells(), strict=True))
    return {child: parent for child, parent in pairs if parent}


def _path(category: str | None, parents: dict[str, str]) -> tuple[str, ...]:
    """From the root to the category."""
    path: list[str] = []
    while category and len(path) < _DEEPEST:
        path.append(category)
        category = parents.get(category)
    return tuple(reversed(path))


def _price(value: str | None) -> float | None:
    """`n39.996` -> 39.996: numbers start with an n."""
    try:
        price = float((value or "").split()[0].removeprefix("n"))
    except (ValueError, IndexError):
        return None
    return price if np.isfinite(price) and price >= 0 else None
