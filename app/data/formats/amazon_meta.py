"""What Amazon's meta files say of an item; three editions, one reader.

2014 is no JSON but Python's own notation; prices are numbers, texts ("$19.99") or page fragments; descriptions and
categories are texts, lists or lists of lists.
"""

import ast
import html
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

import msgspec

from app.contracts.catalog import CatalogItem
from app.data.formats.text import no_line, open_bytes

_MAX_TITLE: Final = 2_000
_MAX_DESCRIPTION: Final = 20_000
# 2023 calls its key `parent_asin`; the first of the two on a line is the item's own.
_KEY: Final = re.compile(rb"""["'](?:parent_)?asin["']\s*:\s*["']([^"']+)["']""")
_PRICE: Final = re.compile(r"\$?\s*(\d[\d,]*(?:\.\d+)?)\s*")
_LOG_NAME: Final = re.compile(r"(?:reviews_|ratings_)?(?P<category>.+?)(?:_\d+)?(?:\.jsonl?|\.csv)(?:\.gz)?")


def meta_beside(log: Path) -> Path | None:
    """`meta_Books.json.gz` for `reviews_Books_5.json.gz`, `ratings_Books.csv` or `Books.jsonl.gz`, if it is there."""
    matched = _LOG_NAME.fullmatch(log.name)
    if not matched:
        return None
    names = (f"meta_{matched['category']}{ending}" for ending in (".jsonl", ".jsonl.gz", ".json", ".json.gz"))
    return next((log.with_name(name) for name in names if log.with_name(name).is_file()), None)


def read_meta(path: Path, touched: Collection[str]) -> tuple[CatalogItem, ...]:
    """The touched items that the file knows, in its order; of an item that stands there twice, the first.

    Raises:
        DataError: a line about one of them is no object.
    """
    found: dict[str, CatalogItem] = {}
    with open_bytes(path) as lines:
        for number, line in enumerate(lines, start=1):
            key = _KEY.search(line)
            item_id = key[1].decode(errors="replace") if key else ""
            if item_id in touched and item_id not in found:
                found[item_id] = _item(item_id, _object(line, path, number))
    return tuple(found.values())


def _object(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        try:
            value = ast.literal_eval(line.decode())
        except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
            raise no_line(path, number, line.decode(errors="replace").strip(), "an object about an item") from error
    if not isinstance(value, dict):
        raise no_line(path, number, line.decode(errors="replace").strip(), "an object about an item")
    return value


def _item(item_id: str, meta: dict[str, Any]) -> CatalogItem:
    return CatalogItem(
        item_id=item_id,
        title=_text(meta.get("title"))[:_MAX_TITLE] or item_id,
        description=_text(meta.get("description"))[:_MAX_DESCRIPTION],
        category=_category(meta),
        brand=_text(meta.get("brand") or meta.get("store"))[:_MAX_TITLE],
        price=_price(meta.get("price")),
    )


def _category(meta: dict[str, Any]) -> tuple[str, ...]:
    """2014: the first of several paths; 2018 and 2023: one path; else 2023's main category."""
    path = meta.get("categories") or meta.get("category") or meta.get("main_category") or ()
    if isinstance(path, list) and path and isinstance(path[0], list):
        path = path[0]
    parts = path if isinstance(path, list) else [path]
    return tuple(text for part in parts if (text := _text(part)))


def _text(value: Any) -> str:
    """Text, or the texts of a list, without page markup's escapes; anything else is nothing."""
    if isinstance(value, list):
        return " ".join(filter(None, map(_text, value)))
    return " ".join(html.unescape(value).split()) if isinstance(value, str) else ""


def _price(value: Any) -> float | None:
    """The price where it is one; not the range, not the fragment of a page."""
    found = _PRICE.fullmatch(str(value)) if isinstance(value, str | int | float) else None
    return float(found[1].replace(",", "")) if found else None
