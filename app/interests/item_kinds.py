"""Which events are on an item, and how each is written into the columns of a state."""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, Final, NamedTuple

from app.contracts.events import AddToCart, Click, Dislike, Like, Purchase, Rate, RemoveFromCart, View
from app.interests.columns import pack_byte
from app.interests.state import Kind

_KINDS: Final[Mapping[type, Kind]] = {
    View: Kind.VIEW,
    Click: Kind.CLICK,
    AddToCart: Kind.ADD_TO_CART,
    RemoveFromCart: Kind.REMOVE_FROM_CART,
    Purchase: Kind.PURCHASE,
    Like: Kind.LIKE,
    Dislike: Kind.DISLIKE,
    Rate: Kind.RATE,
}


class ItemKind(NamedTuple):
    """How an event on an item is written into the columns; `strength` gives it where it is not the usual one."""

    kind: bytes
    strength: Callable[[Any], float] | None


_STRENGTHS: Final[Mapping[type, Callable[[Any], float]]] = {
    Rate: attrgetter("rating"),
    Purchase: attrgetter("quantity"),
    AddToCart: attrgetter("quantity"),
}
ITEM_KINDS: Final = {event: ItemKind(pack_byte(kind), _STRENGTHS.get(event)) for event, kind in _KINDS.items()}
