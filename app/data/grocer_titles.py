"""Titles for products that have none: a grocer's register knows a type, a brand, a maker and a size.

`FRZN PIZZA/PREMIUM` of maker 69 at `12 OZ` becomes `Frozen pizza/premium, Brand M69, 12 oz (#4711)`. Four of five
products share everything but their number with another one; the tail of the number tells them apart.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from app.contracts.catalog import CatalogItem

STORE_BRAND: Final = "Store brand"
_PRIVATE: Final = "Private"
_ID_TAIL: Final = 4
# The sizes of loose fruit and vegetables are those of the case that the shop received.
_CASE_SIZES: Final = "PRODUCE"
_UNCLOSED: Final = re.compile(r"\s*\([^()]*$")  # types are cut off after thirty characters
_WORD: Final = re.compile(r"[A-Z.']+")
_LONG_FORMS: Final = {
    "ACC": "accessories",
    "BKD": "baked",
    "BN": "bean",
    "BRKFST": "breakfast",
    "BTR": "butter",
    "CKYS": "cookies",
    "CLEANG": "cleaning",
    "CNDY": "candy",
    "CONC": "concentrate",
    "CRKR": "crackers",
    "CRYSTL": "crystal",
    "DNR": "dinner",
    "DRNK": "drink",
    "DRNKS": "drinks",
    "DRSNG": "dressing",
    "FD": "food",
    "FRZ": "frozen",
    "FRZN": "frozen",
    "GDS": "goods",
    "GM": "general merchandise",
    "HBC": "health and beauty",
    "JCE": "juice",
    "MISC": "other",
    "MISC.": "other",
    "MW": "microwave",
    "MXS": "mixes",
    "PCKGD": "packaged",
    "PKG": "packaged",
    "PKGD": "packaged",
    "PKLD": "pickled",
    "PNT": "peanut",
    "PREP": "prepared",
    "PWDR": "powder",
    "REFRGRATD": "refrigerated",
    "SALD": "salad",
    "SFT": "soft",
    "SNDWCH": "sandwich",
    "SNKS": "snacks",
    "SPLY": "supply",
    "SPRD": "spread",
    "SW": "sweet",
    "TISS": "tissue",
    "TORT": "tortilla",
    "TRSH": "trash",
    "VEG": "vegetable",
    "WHLSM": "wholesome",
}


@dataclass(frozen=True, slots=True)
class Product:
    """One line of the register's product list; None where it is silent."""

    product_id: int
    manufacturer_id: int
    department: str
    brand: str
    product_category: str | None
    product_type: str | None
    package_size: str | None


def catalog_item(product: Product) -> CatalogItem:
    """The product as a catalog shows it; its category is department, category, type, as far as they are known."""
    brand = STORE_BRAND if product.brand == _PRIVATE else f"Brand M{product.manufacturer_id}"
    levels = (product.department, product.product_category, product.product_type)
    categories = tuple(plain(level) for level in levels if level)
    has_size = product.package_size and product.department != _CASE_SIZES
    size = (product.package_size or "").lower() if has_size else ""
    title = ", ".join(filter(None, (categories[-1], brand, size)))
    attributes: dict[str, str | float | bool | list[str]] = {"manufacturer": f"M{product.manufacturer_id}"}
    return CatalogItem(
        item_id=str(product.product_id),
        title=f"{title} (#{product.product_id % 10**_ID_TAIL:0{_ID_TAIL}d})",
        category=categories,
        brand=brand,
        attributes=attributes | ({"size": size} if size else {}),
    )


@lru_cache(maxsize=8_192)  # three thousand names on ninety thousand products
def plain(text: str) -> str:
    """The register's capitals as words: `FRZN PIE (9 IN` -> `Frozen pie`, `SEAFOOD-PCKGD` -> `Seafood-packaged`."""
    whole = _UNCLOSED.sub("", text) or text
    spaced = " ".join(whole.replace(":", ": ").replace("&", " & ").replace(" - ", ": ").split())
    words = _WORD.sub(lambda word: _LONG_FORMS.get(word[0], word[0].lower()), spaced)
    return words[0].upper() + words[1:]
