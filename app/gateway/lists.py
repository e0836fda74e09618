"""A kept message of `recommendations` as the list that a frontend gets. Pure, and mostly without decoding it."""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from app.contracts.recommendations import Cause, RecommendedItem
from app.gateway.replica import Row
from app.interests.state import NEVER_SEEN

UNKNOWN_VERSION: Final = NEVER_SEEN.state_version
"""The state version of a user of whom nothing is known: below every other."""

_NO_ITEMS: Final = Raw(b"[]")

ItemOf = Callable[[str], Raw | None]
"""What a frontend shows of an item, as JSON; None where the catalog does not have it."""


class Message(Struct, frozen=True):
    """A message of `recommendations`, as far as the gateway looks into it: lists stay JSON."""

    state_version: int
    recommendation_id: str
    generated_ts_ms: int = msgspec.field(name="generated_ts")
    model_version: str
    variant: str
    cause: Cause
    lists: dict[str, Raw]
    requested_ts_ms: int | None = msgspec.field(name="requested_ts", default=None)


class ExpandedItem(Struct, frozen=True):
    """A place of a list with what a page shows of the item; `item` is null for what the catalog no longer has."""

    item_id: str
    score: float
    source: str
    reason: str
    item: Raw | None


class ListView(Struct, frozen=True, kw_only=True):
    """One user's list of one surface, as a frontend gets it.

    Attributes:
        known: whether the user has lists; if not, these are the ones for newcomers.
        surfaces: the names of all lists that the user has, this one among them.
        state_version: the offset of the newest event behind the list; -1 where nothing is known.
        gateway_ts_ms: when the gateway had it.
        reflects: whether it knows of the event that the request waited for.
    """

    user_id: str
    known: bool
    surface: str
    surfaces: tuple[str, ...]
    recommendation_id: str | None
    state_version: int
    generated_ts_ms: int | None = msgspec.field(name="generated_ts")
    model_version: str | None
    variant: str | None
    cause: Cause | None
    requested_ts_ms: int | None = msgspec.field(name="requested_ts")
    gateway_ts_ms: int | None = msgspec.field(name="gateway_ts")
    items: Raw | list[ExpandedItem]
    reflects: bool | UnsetType = UNSET


_message_decoder = msgspec.json.Decoder(Message)
_items_decoder = msgspec.json.Decoder(list[RecommendedItem])
_encoder = msgspec.json.Encoder()


class _Version(Struct):
    state_version: int


_version_decoder = msgspec.json.Decoder(_Version)


def version_of(value: bytes) -> int | None:
    """The state version of a message; None where it is none of ours."""
    try:
        return _version_decoder.decode(value).state_version
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def decode_message(value: bytes) -> Message | None:
    """The message in these bytes; None where they are none."""
    try:
        return _message_decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def view_of(
    user_id: str, surface: str, row: Row | None, *, known: bool, item_of: ItemOf | None
) -> ListView | Mapping[str, Raw]:
    """The view of a kept row.

    Args:
        user_id: whom it is for.
        surface: which list.
        row: the user's, or, where `known` is false, the newcomers'; None where there is not even that.
        known: whether the row is the user's own.
        item_of: shows items; None leaves them out.

    Returns:
        The view; or, where the row has no such surface, the lists that it has.
    """
    message = None if row is None else decode_message(row.value)
    if row is None or message is None:
        return ListView(
            user_id=user_id, known=False, surface=surface, surfaces=(), recommendation_id=None,
            state_version=UNKNOWN_VERSION, generated_ts_ms=None, model_version=None, variant=None, cause=None,
            requested_ts_ms=None, gateway_ts_ms=None, items=_NO_ITEMS,
        )  # fmt: skip
    if surface not in message.lists:
        return message.lists
    items: Raw | list[ExpandedItem] = message.lists[surface]
    return ListView(
        user_id=user_id,
        known=known,
        surface=surface,
        surfaces=tuple(message.lists),
        recommendation_id=message.recommendation_id,
        state_version=message.state_version if known else UNKNOWN_VERSION,
        generated_ts_ms=message.generated_ts_ms,
        model_version=message.model_version,
        variant=message.variant,
        cause=message.cause if known else None,
        requested_ts_ms=message.requested_ts_ms if known else None,
        gateway_ts_ms=row.arrived_ts_ms,
        items=items if item_of is None else _expanded(message.lists[surface], item_of),
    )


def encode_view(view: ListView) -> bytes:
    """As JSON."""
    return _encoder.encode(view)


def _expanded(items: Raw, item_of: ItemOf) -> list[ExpandedItem]:
    return [
        ExpandedItem(each.item_id, each.score, each.source, each.reason, item_of(each.item_id))
        for each in _items_decoder.decode(items)
    ]
