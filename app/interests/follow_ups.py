"""What an event causes for other users: events that go back to the `events` topic. Pure."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from app.contracts.events import Event, Forget, HandOver, Identify, Inherit
from app.interests.draft import Draft
from app.interests.state import (
    MAX_ID_LENGTH,
    OlderItem,
    decode_aliases,
    decode_older,
    decode_places,
    decode_queries,
)

MAX_INHERITED_ITEMS: Final = 200
"""So many older items are handed over: with the longest ids there are, more would not fit into a message."""


def follow_ups(event: Event, draft: Draft) -> Sequence[Event]:
    """What an event causes for other users. Ids are derived, so that a repetition is recognised as one.

    Args:
        event: applied just now, for the first time.
        draft: the state with it, or, of a `Forget`, before it.
    """
    if isinstance(event, Identify) and event.anonymous_id != event.user_id:
        follow_up_id = _derived_id(event, "hand-over")
        return [HandOver(event_id=follow_up_id, user_id=event.anonymous_id, ts_ms=event.ts_ms, heir_id=event.user_id)]
    if isinstance(event, HandOver):
        return [
            Inherit(
                event_id=_derived_id(event, "inherit"),
                user_id=event.heir_id,
                ts_ms=event.ts_ms,
                anonymous_id=event.user_id,
                interactions=tuple(draft.interactions()),
                queries=tuple(decode_queries(draft.queries)),
                older=_newest(decode_older(draft.older).items()),
                places=tuple(decode_places(draft.known_places).places()),
            )
        ]
    if isinstance(event, Forget):
        return [
            Forget(event_id=_derived_id(event, alias), user_id=alias, ts_ms=event.ts_ms)
            for alias in decode_aliases(draft.aliases)
        ]
    return ()


def _newest(older: dict[str, OlderItem]) -> dict[str, OlderItem]:
    return dict(list(older.items())[-MAX_INHERITED_ITEMS:])


def _derived_id(event: Event, what_for: str) -> str:
    """`<event id>/<what for>`; hashed where that is longer than an id may be, or the follow-up would be refused."""
    derived = f"{event.event_id}/{what_for}"
    if len(derived) <= MAX_ID_LENGTH:
        return derived
    return blake2b(derived.encode(), digest_size=16).hexdigest()
