"""What a user's state says about single items: what may not be shown again, and what may serve as a reason.

Two readings of one walk through the interactions, oldest first. Knows no surface by name and no vectors.
"""

from collections.abc import Collection
from enum import IntEnum
from typing import Final

from msgspec import Struct

from app.interests.state import Interaction, Kind, UserState
from app.surfaces.surface import Hide

_LIKED_FROM: Final = 0.7  # of the rating scale
_DISLIKED_BELOW: Final = 0.5

# Bits of a mark; bit k is `Kind(k)` as in `OlderItem.kinds`.
_IN_CART: Final = 1 << Kind.ADD_TO_CART
_BOUGHT: Final = 1 << Kind.PURCHASE
_DISLIKED: Final = 1 << Kind.DISLIKE
_LIKED: Final = 1 << Kind.LIKE
_ANYTHING: Final = -1
_BITS: Final = {Hide.SEEN: _ANYTHING, Hide.BOUGHT: _BOUGHT, Hide.IN_CART: _IN_CART}


# What is left of an item's marks when this happens to it.
_KEEPS: Final = dict.fromkeys(Kind, _ANYTHING) | {
    Kind.REMOVE_FROM_CART: ~_IN_CART,
    Kind.PURCHASE: ~_IN_CART,
    Kind.LIKE: ~_DISLIKED,
    Kind.DISLIKE: ~_LIKED,
}
# Looking up a member of an enum costs more than everything else that is done with it.
_RATE, _LIKE, _DISLIKE = Kind.RATE, Kind.LIKE, Kind.DISLIKE


class Attachment(IntEnum):
    """How a user stands to an item; the strongest one words the reason."""

    VIEWED = 1
    CLICKED = 2
    RATED = 3
    LIKED = 4
    IN_CART = 5
    BOUGHT = 6


class Anchor(Struct, frozen=True, gc=False):
    """An item that a reason may point to."""

    item_id: str
    attachment: Attachment


_ATTACHMENTS: Final = {
    Kind.VIEW: Attachment.VIEWED,
    Kind.CLICK: Attachment.CLICKED,
    Kind.REMOVE_FROM_CART: Attachment.CLICKED,
    Kind.RATE: Attachment.RATED,
    Kind.LIKE: Attachment.LIKED,
    Kind.ADD_TO_CART: Attachment.IN_CART,
    Kind.PURCHASE: Attachment.BOUGHT,
}


def hiding_bits(hide: Collection[Hide]) -> int:
    """The marks that hide an item from a list; a dislike always does."""
    bits = _DISLIKED
    for each in hide:
        bits |= _BITS[each]
    return bits


def item_marks(state: UserState, rating_scale: float) -> dict[str, int]:
    """What the user did to each item, as bits.

    A rating under half of the scale is a dislike; a cart that was emptied is no cart; the newest of like and
    dislike holds.
    """
    marks = {item_id: older.kinds for item_id, older in state.older_items().items()}
    for interaction in state.interactions():
        kind = _read(interaction, rating_scale)
        before = marks.get(interaction.item_id, 0)
        # Asked of every interaction of every user, so the rule is a table: what this kind takes back, what it adds.
        marks[interaction.item_id] = before & _KEEPS[kind] | 1 << kind
    return marks


def anchors(state: UserState, marks: dict[str, int], rating_scale: float, most: int) -> list[Anchor]:
    """The newest items that the user did not turn down, the newest first, each with the strongest attachment.

    Args:
        state: the user's.
        marks: from `item_marks`.
        rating_scale: the most stars.
        most: how many items.
    """
    found: dict[str, Attachment] = {}
    for interaction in reversed(state.interactions()):
        item_id = interaction.item_id
        known = found.get(item_id)
        if known is None and (len(found) == most or marks[item_id] & _DISLIKED):
            continue
        attachment = _ATTACHMENTS.get(_read(interaction, rating_scale), Attachment.VIEWED)
        if attachment is Attachment.IN_CART and not marks[item_id] & _IN_CART:
            attachment = Attachment.CLICKED
        if known is None or attachment > known:
            found[item_id] = attachment
    return [Anchor(item_id, attachment) for item_id, attachment in found.items()]


def _read(interaction: Interaction, rating_scale: float) -> Kind:
    """The interaction's kind, a clear rating read as what it says."""
    kind = interaction.kind
    if kind is not _RATE:
        return kind
    strength = interaction.strength
    if strength < _DISLIKED_BELOW * rating_scale:
        return _DISLIKE
    return _LIKE if strength >= _LIKED_FROM * rating_scale else _RATE
