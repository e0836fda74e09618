"""The words beside an item: why a shopper sees it."""

from collections.abc import Mapping
from typing import Final

from app.surfaces.marks import Attachment

POPULAR: Final = "Popular right now"
AGAIN: Final = "You chose this before"
FOR_YOU: Final = "Picked for you"
NEW: Final = "New"
FROM_CATALOG: Final = "More to discover"
_MAX_TITLE: Final = 80

_TEMPLATES: Final[Mapping[int, str]] = {
    Attachment.VIEWED: "Because you viewed {}",
    Attachment.CLICKED: "Because you looked at {}",
    Attachment.RATED: "Because you rated {}",
    Attachment.LIKED: "Because you liked {}",
    Attachment.IN_CART: "Because {} is in your cart",
    Attachment.BOUGHT: "Because you bought {}",
}


def because(attachment: int, title: str) -> str:
    """The number of an `Attachment` and a title; for example "Because you liked Fargo (1996)"."""
    return _TEMPLATES[attachment].format(_short(title))


def new_like(title: str) -> str:
    """For example "New: similar to Fargo (1996)"."""
    return f"New: similar to {_short(title)}"


def _short(title: str) -> str:
    return title if len(title) <= _MAX_TITLE else f"{title[: _MAX_TITLE - 1].rstrip()}…"
