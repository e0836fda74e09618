"""The lists in which things come back, put in order by a version's ranker from the users' bounded states.

The tables are those of training: they do not follow the log, a new version brings new ones.
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
from model_server.ranking.files import StoredRanker
from model_server.ranking.lines import NOWHERE, Moments
from model_server.ranking.names import fingerprints
from model_server.ranking.past import Past, past_of_states
from model_server.ranking.promotion import nothing_promoted
from model_server.ranking.ranker import Ranked
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
        stored: the version's.
        clock_ms: what time it is.
    """

    names = SPEAKERS

    def __init__(self, stored: StoredRanker, clock_ms: Callable[[], int]) -> None:
        names = stored.names
        self._stored = stored
        self._clock_ms = clock_ms
        self._number_of = {item_id: number for number, item_id in enumerate(names.item_ids)}
        self._place_of = {place_id: number for number, place_id in enumerate(names.place_ids)}
        self._person_of = dict(zip(names.people.tolist(), stored.tables.people.users.tolist(), strict=True))
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
        slots, parts = self._for_sale(view), []
        for first in range(0, len(visitors), _AT_ONCE):
            last = min(first + _AT_ONCE, len(visitors))
            told = self._told(visitors.part(slice(first, last)))
            ranked = self._stored.ranker.rank(told.moments, told.past, self._stored.tables, nothing_promoted)
            closed = hidden.of(np.arange(first, last))
            parts.append(self._shown(told, ranked, slots[ranked.items], closed, size))
        return stacked(parts, size)

    def _told(self, visitors: Visitors) -> _Told:
        """Everybody is now where the newest interaction was."""
        histories = visitors.histories
        own_places = [history.places[-1] if history.places else 0 for history in histories]
        places = [
            self._place_of.get(history.place_ids[own - 1], NOWHERE) if own else NOWHERE
            for own, history in zip(own_places, histories, strict=True)
        ]
        people = [self._person_of.get(each, _NONE) for each in fingerprints(visitors.user_ids).tolist()]
        nothing = np.zeros(0, np.int64)
        moments = Moments(
            now_ms=np.full(len(visitors), self._clock_ms(), np.int64),
            users=np.array(people, np.int64),
            places=np.array(places, np.int32),
            cart_owners=nothing,
            cart_items=nothing,
        )
        touches = touches_of(histories, self._number_of)
        return _Told(moments, past_of_states(touches, moments, np.array(own_places, np.int64)))

    def _shown(self, told: _Told, ranked: Ranked, slots: NDArray[np.int64], hidden: Pairs, size: int) -> Ordered:
        """The first of each user that are for sale and not hidden; `slots` are those of the ranked items."""
        users, span = len(told.moments), int(max(slots.max(initial=0), hidden.items.max(initial=0))) + 1
        kept = slots != _NONE
        kept &= ~np.isin(ranked.owners * span + slots, hidden.users * span + hidden.items)
        owners, rows = ranked.owners[kept], np.flatnonzero(kept)
        place = np.arange(len(owners)) - np.searchsorted(owners, owners)
        first = place < size
        owners, rows, place = owners[first], rows[first], place[first]
        ordered = Ordered(
            np.zeros((users, size), np.int64),
            np.zeros((users, size)),
            np.zeros((users, size), np.int64),
            np.bincount(owners, minlength=users),
        )
        ordered.slots[owners, place] = slots[rows]
        ordered.scores[owners, place] = ranked.scores[rows]
        said, own, tables = ranked.said, told.past.own, self._stored.tables
        ordered.sources[owners, place] = loudest(owners, ranked.items[rows], said, own, tables)
        return ordered

    def _for_sale(self, view: IndexView) -> NDArray[np.int64]:
        """(N,) the slot of each item of the tables, below 0 where it is not for sale."""
        if self._seen != view.version:
            item_ids = self._stored.names.item_ids
            slots = np.fromiter(map(view.position.get, item_ids, repeat(_NONE)), np.int64, len(item_ids))
            closed = np.append(view.hidden.cpu().numpy(), True)  # of no slot: the last
            self._slots, self._seen = np.where(closed[slots], _NONE, slots), view.version
        return self._slots
