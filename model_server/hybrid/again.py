"""The lists in which things come back, put in order by a version's ranker from the users' bounded states.

What is known of items goes on behind the version's training (model_server.ranking.live); a batch sees one state of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.surfaces.marks import Pairs
from app.surfaces.touches import History, touches_of
from model_server.hybrid.blend import Ordered, stacked
from model_server.items.view import IndexView
from model_server.ranking.lines import NOWHERE, Moments
from model_server.ranking.live import Known, LiveTables
from model_server.ranking.names import fingerprints
from model_server.ranking.past import Past, past_of_states
from model_server.ranking.ranker import Ranked, Ranker
from model_server.ranking.spoken import SPEAKERS, loudest

_AT_ONCE: Final = 43  # more are not faster, and every user takes a row over the whole pool
_NONE: Final = -1


@dataclass(frozen=True, slots=True, eq=False)
class Visitors:
    """B users: their ids, and what is kept of each."""

    user_ids: Sequence[str]
    histories: Sequence[History]

    def __len__(self) -> int:
        return len(self.user_ids)

    def part(self, places: slice) -> "Visitors":
        """Some of them."""
        return Visitors(self.user_ids[places], self.histories[places])


@dataclass(frozen=True, slots=True, eq=False)
class _Told:
    """B users: the moment, and what is known of them."""

    moments: Moments
    past: Past


class ServedRanker:
    """See the module. Not thread-safe: one scoring thread.

    Args:
        ranker: the version's.
        live: what is known of items.
        clock_ms: what time it is.
    """

    names = SPEAKERS

    def __init__(self, ranker: Ranker, live: LiveTables, clock_ms: Callable[[], int]) -> None:
        self._ranker = ranker
        self._live = live
        self._clock_ms = clock_ms
        self._seen: int | None = None  # the version of the view that the slots are of
        self._slots = np.zeros(0, np.int64)

    def best(self, view: IndexView, visitors: Visitors, hidden: Pairs, size: int) -> Ordered:
        """Every user's `size` best of what is for sale; `Ordered.sources` are places in `names`.

        Args:
            view: of the item index.
            visitors: B users.
            hidden: what they must not be shown, by slot.
            size: K, at most.
        """
        slots, known, parts = self._for_sale(view), self._live.known, []
        for first in range(0, len(visitors), _AT_ONCE):
            last = min(first + _AT_ONCE, len(visitors))
            told = self._told(known, visitors.part(slice(first, last)))
            ranked = self._ranker.rank(told.moments, told.past, known.tables, known.promoting)
            closed = hidden.of(np.arange(first, last))
            ordered, places = _first(ranked, slots[ranked.items], closed, (len(told.moments), size))
            said = ranked.said, told.past.own, known.tables
            ordered.sources[places.at] = loudest(ranked.owners[places.rows], ranked.items[places.rows], *said)
            parts.append(ordered)
        return stacked(parts, size)

    def _told(self, known: Known, visitors: Visitors) -> _Told:
        """Everybody is now where the newest interaction was."""
        histories = visitors.histories
        own_places = [history.places[-1] if history.places else 0 for history in histories]
        places = [
            self._live.place_of.get(history.place_ids[own - 1], NOWHERE) if own else NOWHERE
            for own, history in zip(own_places, histories, strict=True)
        ]
        people = [known.number(each) for each in fingerprints(visitors.user_ids).tolist()]
        nothing = np.zeros(0, np.int64)
        moments = Moments(
            now_ms=np.full(len(visitors), self._clock_ms(), np.int64),
            users=np.array(people, np.int64),
            places=np.array(places, np.int32),
            cart_owners=nothing,
            cart_items=nothing,
        )
        touches = touches_of(histories, self._live.number_of)
        return _Told(moments, past_of_states(touches, moments, np.array(own_places, np.int64)))

    def _for_sale(self, view: IndexView) -> NDArray[np.int64]:
        """(N,) the slot of each item of the tables, below 0 where it is not for sale."""
        if self._seen != view.version:
            numbers = self._live.number_of
            slots = np.fromiter(map(view.position.get, numbers, repeat(_NONE)), np.int64, len(numbers))
            closed = np.append(view.hidden.cpu().numpy(), True)  # of no slot: the last
            self._slots, self._seen = np.where(closed[slots], _NONE, slots), view.version
        return self._slots


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """Where candidates went: `rows` among the ranked, `at` (user, place)."""

    rows: NDArray[np.int64]
    at: tuple[NDArray[np.int64], NDArray[np.int64]]


def _first(ranked: Ranked, slots: NDArray[np.int64], hidden: Pairs, shape: tuple[int, int]) -> tuple[Ordered, _Places]:
    """The first of each user that are for sale and not hidden, sources still open; `slots` are those of the ranked."""
    span = int(max(slots.max(initial=0), hidden.items.max(initial=0))) + 1
    kept = slots != _NONE
    kept &= ~np.isin(ranked.owners * span + slots, hidden.users * span + hidden.items)
    owners, rows = ranked.owners[kept], np.flatnonzero(kept)
    place = np.arange(len(owners)) - np.searchsorted(owners, owners)
    first = place < shape[1]
    places = _Places(rows[first], (owners[first], place[first]))
    ordered = Ordered(
        np.zeros(shape, np.int64),
        np.zeros(shape),
        np.zeros(shape, np.int64),
        np.bincount(owners[first], minlength=shape[0]),
    )
    ordered.slots[places.at] = slots[places.rows]
    ordered.scores[places.at] = ranked.scores[places.rows]
    return ordered, places
