"""What the server knows of a user at a moment: the newest interactions whole, of older ones a record of each item."""

from bisect import bisect_left
from math import isnan

from app.data.interactions import Interactions
from app.interests.draft import Bounds
from app.interests.older import Leaving, OlderBounds, retire
from app.interests.state import NO_OLDER, Interaction, Kind, StateCause, UserState, decode_older

_NO_PLACE = 0


def state_of(history: Interactions, bounds: Bounds) -> UserState:
    """What is left of one user's history, oldest first, within these bounds: as if event had come after event.

    Places are left out.
    """
    columns = (history.items.tolist(), history.kinds.tolist(), history.ts_ms.tolist(), history.ratings.tolist())
    interactions = [
        Interaction(history.item_ids[item], _kind(kind, stars), ts_ms, 1.0 if isnan(stars) else stars)
        for item, kind, ts_ms, stars in zip(*columns, strict=True)
    ]
    times = columns[2]
    oldest_ms = times[-1] - bounds.max_age_ms if times else 0
    surplus = max(0, len(times) - bounds.max_interactions)
    at_once = bounds.slack + 1
    leaving = max(surplus // at_once * at_once, bisect_left(times, oldest_ms))
    older = retire(
        NO_OLDER,
        [Leaving(each.item_id, each.kind, each.ts_ms, _NO_PLACE) for each in interactions[:leaving]],
        OlderBounds(bounds.max_items, oldest_ms),
    )
    cause = StateCause("", "", 0, 0)
    return UserState.of(0, cause, interactions[leaving:], older=decode_older(older).items())


def _kind(kind: int, stars: float) -> Kind:
    """A rating without stars is a view, as `riverrun replay` sends it."""
    return Kind.VIEW if kind == Kind.RATE and isnan(stars) else Kind(kind)
