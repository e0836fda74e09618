"""What visitors do: the messages of the `events` topic (JSON, key = user id).

One type per kind of event, told apart by the field `type`. Decoding validates: a missing or wrong field
becomes an `InvalidEvent` that names it, never an exception. Times are event times in milliseconds since 1970 (UTC).
"""

from collections.abc import Mapping
from typing import Annotated, Final, get_args

import msgspec
from msgspec import Meta, Struct

from app.interests.places import MOST_PLACES
from app.interests.state import Id, Interaction, OlderItem, Place, Query, QueryText, TimestampMs

SCHEMA_VERSION: Final = 1

Text = Annotated[str, Meta(max_length=2_000)]
MOST_STARS: Final = 10
Rating = Annotated[float, Meta(ge=0, le=MOST_STARS)]
Quantity = Annotated[float, Meta(gt=0)]
Price = Annotated[float, Meta(ge=0)]


class _EventBase(Struct, frozen=True, kw_only=True, gc=False, tag_field="type", omit_defaults=True):
    event_id: Id
    user_id: Id
    ts_ms: TimestampMs = msgspec.field(name="ts")
    session_id: Id | None = None
    surface: Id | None = None


class _ItemEvent(_EventBase, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """An event on one item; `place` is where (a store, a website), the last two say which published list it answers."""

    item_id: Id
    place: Id | None = None
    recommendation_id: Id | None = None
    position: Annotated[int, Meta(ge=0)] | None = None


class View(_ItemEvent, frozen=True, kw_only=True, gc=False, tag="view"):
    """The item's page was opened."""


class Click(_ItemEvent, frozen=True, kw_only=True, gc=False, tag="click"):
    """The item was clicked in a list."""


class AddToCart(_ItemEvent, frozen=True, kw_only=True, gc=False, tag="add_to_cart"):
    """The item went into the cart."""

    quantity: Quantity = 1.0


class RemoveFromCart(_ItemEvent, frozen=True, kw_only=True, gc=False, tag="remove_from_cart"):
    """The item was taken out of the cart."""


class Purchase(_ItemEvent, frozen=True, kw_only=True, gc=False, tag="purchase"):
    """The item was bought."""

    quantity: Quantity = 1.0
    price: Price | None = None
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")] | None = None


class Like(_ItemEvent, frozen=True, kw_only=True, gc=False, tag="like"):
    """The visitor wants more like this."""


class Dislike(_ItemEvent, frozen=True, kw_only=True, gc=False, tag="dislike"):
    """The visitor wants this hidden."""


class Rate(_ItemEvent, frozen=True, kw_only=True, gc=False, tag="rate"):
    """The visitor gave stars."""

    rating: Rating


class Impression(_ItemEvent, frozen=True, kw_only=True, gc=False, tag="impression"):
    """The item was shown. Kept for attribution; it does not change the interests."""


class Search(_EventBase, frozen=True, kw_only=True, gc=False, tag="search"):
    """The visitor searched."""

    query: QueryText


class Identify(_EventBase, frozen=True, kw_only=True, gc=False, tag="identify"):
    """An anonymous visitor logged in: `anonymous_id`'s interests become `user_id`'s."""

    anonymous_id: Id


class Forget(_EventBase, frozen=True, kw_only=True, gc=False, tag="forget"):
    """Erase everything known about this user."""


class HandOver(_EventBase, frozen=True, kw_only=True, gc=False, tag="riverrun.hand_over"):
    """Internal, caused by `Identify`: this (anonymous) user's interests go to `heir_id`."""

    heir_id: Id


class Inherit(_EventBase, frozen=True, kw_only=True, gc=False, tag="riverrun.inherit"):
    """Internal, caused by `HandOver`: this user takes over what an anonymous visitor did.

    Counts only where `anonymous_id` is known as this user's: a `Forget` that came in between erased that as well. One
    without was sent before there was this field, and counts. `places` are what the bits in `older` count.
    """

    interactions: tuple[Interaction, ...]
    anonymous_id: Id | None = None
    queries: tuple[Query, ...] = ()
    older: dict[Id, OlderItem] = {}
    places: Annotated[tuple[Place, ...], Meta(max_length=MOST_PLACES)] = ()


ItemEvent = View | Click | AddToCart | RemoveFromCart | Purchase | Like | Dislike | Rate | Impression
PublicEvent = ItemEvent | Search | Identify | Forget
Event = PublicEvent | HandOver | Inherit


_TAGS: Final[Mapping[type, str]] = {each: str(each.__struct_config__.tag) for each in get_args(Event)}


class InvalidEvent(Struct, frozen=True):
    """Why bytes are no event: the reason in words and the field's name, empty where there is none."""

    reason: str
    field: str = ""


_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_encoder = msgspec.json.Encoder()


def decode_event(value: bytes) -> Event | InvalidEvent:
    """The event in these bytes, or what is wrong with them. Never raises for bad data."""
    try:
        return _decoder.decode(value)
    except msgspec.ValidationError as error:
        return _invalid(str(error))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return InvalidEvent(reason=f"malformed JSON: {error}")


def encode_event(event: Event) -> bytes:
    """The event as JSON bytes."""
    return _encoder.encode(event)


def is_internal(value: bytes) -> bool:
    """Whether riverrun sent this event to itself: such a one may be larger, for it carries a bounded state."""
    return isinstance(decode_event(value), HandOver | Inherit)


def event_type(event: Event) -> str:
    """The event's `type` as on the wire, for example `"add_to_cart"`."""
    return _TAGS[type(event)]


def _invalid(message: str) -> InvalidEvent:
    """Find the field in msgspec's words: "... - at `$.item_id`" or "... missing required field `item_id`"."""
    reason, _, path = message.partition(" - at `$")
    field = path.strip("`").lstrip(".")
    if not field and "field `" in reason:
        field = reason.split("`")[1]
    return InvalidEvent(reason=reason, field=field)
