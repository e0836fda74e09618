"""What is too large for a message, made smaller: what a bot with endless ids writes must not stop a partition.

Pure. The oldest goes first: items that left the newest interactions, then interactions and searches.
"""

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from app.contracts.events import Event, Inherit, encode_event
from app.interests import columns
from app.interests.columns import STRENGTH_BYTES, TIME_BYTES
from app.interests.older import newer_half
from app.interests.state import UserState, decode_queries


def halved(state: UserState) -> UserState | None:
    """Without the older half of what can be left out first; None when nothing can."""
    older = newer_half(state.older)
    if older is not None:
        return replace(state, older=older)
    queries = decode_queries(state.queries)
    if not state.kinds and not queries:
        return None
    ids = columns.unpack_ids(state.ids, len(state.kinds))
    leaving = len(ids) // 2 + 1
    return replace(
        state,
        ids=columns.pack_ids(ids[leaving:]),
        kinds=state.kinds[leaving:],
        times=state.times[leaving * TIME_BYTES :],
        strengths=state.strengths[leaving * STRENGTH_BYTES :],
        places=state.places[leaving:],
        queries=Raw(msgspec.msgpack.encode(queries[len(queries) // 2 + 1 :])),
    )


def encode_fitting(event: Event, max_bytes: int) -> bytes:
    """The event as JSON bytes; an inheritance that is larger than `max_bytes` hands over only the newest that fit.

    Ids and searches of control characters are six times as long in JSON as they are in the state.
    """
    value = encode_event(event)
    while (
        len(value) > max_bytes and isinstance(event, Inherit) and (event.older or event.interactions or event.queries)
    ):
        event = _halved_inheritance(event)
        value = encode_event(event)
    return value


def _halved_inheritance(event: Inherit) -> Inherit:
    if event.older:
        return replace(event, older=dict(list(event.older.items())[len(event.older) // 2 + 1 :]))
    return replace(
        event,
        interactions=event.interactions[len(event.interactions) // 2 + 1 :],
        queries=event.queries[len(event.queries) // 2 + 1 :],
    )
