"""A state that is too large for a message, made smaller: what a bot with endless ids writes must not stop a partition.

Pure. The oldest goes first: items that left the newest interactions, then interactions and searches.
"""

import msgspec
from msgspec import Raw
from msgspec.structs import replace

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
