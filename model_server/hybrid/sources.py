"""Asks the blended sources about a batch of users, and orders what they offer.

The same object makes the lists that are served and those that are evaluated (model_server.evaluation.recommender).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from app.interests.state import Kind
from app.surfaces.marks import Pairs
from app.surfaces.touches import Touches
from model_server.counts.covisitation import READING as COVISITATION_READING
from model_server.counts.entries import Entries, Readings, newest_readings, read_table
from model_server.counts.neighbours import NeighbourTable, Reading
from model_server.hybrid.blend import Blended, BlendWeights, Ordered, blend, stacked
from model_server.hybrid.parts import HybridParts
from model_server.hybrid.worths import Offers, Worths, retrieved
from model_server.items.search import Ranked
from model_server.items.view import IndexView
from model_server.model.sequences import NEGATIVE_KINDS

RETRIEVED: Final = 100
"""How many of the network's best are offered. With 200 or 400 validation was the same within noise."""

POPULAR: Final = 50
"""How many of what is popular are offered."""
_SPEAKS_FOR: Final = np.array([number not in NEGATIVE_KINDS for number in range(max(Kind) + 1)])


class ReadsPairs(Protocol):
    """Co-visitation, as it is now."""

    def read(self, readings: Readings) -> Entries:
        """As `CoVisitation.read`; from any thread."""


@dataclass(frozen=True, slots=True, eq=False)
class PopularSlots:
    """What is popular and for sale: slots, the most popular first, and their counts."""

    slots: NDArray[np.int64]
    counts: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class CountedSources:
    """What is counted beside the network. Items are rows here (`model_server.items.rows`).

    Args:
        covisitation: live.
        neighbours: of items, learned at training.
        reading: how a history reads that table.
    """

    covisitation: ReadsPairs
    neighbours: NeighbourTable
    reading: Reading


@dataclass(frozen=True, slots=True, eq=False)
class Asking:
    """B users: what they did, and what they must not be shown.

    Args:
        touches: items numbered by slots.
        network: what the network retrieved for each.
        hidden: whom what.
    """

    touches: Touches
    network: Ranked
    hidden: Pairs


Order = Callable[[Worths, int], Ordered]
"""Puts a block of users' candidates in order, that many of each: the blend, or a version's ranker."""


class Hybrid:
    """See the module.

    Args:
        counted: the sources beside the network.
        weights: of the sources; those with weight 0 are not asked.
        order: None: by the weights.
    """

    def __init__(self, counted: CountedSources, weights: BlendWeights, order: Order | None = None) -> None:
        self._counted = counted
        self._asked = weights.asked()
        self.names = tuple(source.value for source in self._asked)
        self._numbers = np.array([weights.of(source) for source in self._asked], np.float32)
        self._order = order  # not `or self._blended`: a version that holds itself is not freed when it ends

    def best(self, view: IndexView, asking: Asking, popular: PopularSlots, size: int) -> Ordered:
        """Every user's `size` best; `Ordered.sources` are places in `names`."""
        offers = Offers(
            asking.touches.count,
            [self._offered(source, view, asking, popular) for source in self._asked],
            asking.hidden,
            ~view.hidden.cpu().numpy(),
        )
        order = self._order or self._blended
        return stacked((order(worths, size) for worths in offers.worths()), size)

    def _blended(self, worths: Worths, size: int) -> Ordered:
        return blend(worths, self._numbers, size)

    def _offered(self, source: Blended, view: IndexView, asking: Asking, popular: PopularSlots) -> Entries:
        if source is Blended.MODEL:
            slots, scores, counts = (
                each.cpu().numpy() for each in (asking.network.slots, asking.network.scores, asking.network.counts)
            )
            return retrieved(slots, scores, counts)
        if source is Blended.COVISITATION:
            return _by_slots(self._counted.covisitation.read(_readings(view, asking, COVISITATION_READING)), view)
        if source is Blended.NEIGHBOURS:
            return _by_slots(read_table(self._counted.neighbours, _readings(view, asking, self._counted.reading)), view)
        users = asking.touches.count
        head = popular.slots[:POPULAR], popular.counts[:POPULAR]
        return Entries(np.repeat(np.arange(users), len(head[0])), np.tile(head[0], users), np.tile(head[1], users))


def hybrid_of(parts: HybridParts, covisitation: ReadsPairs) -> Hybrid:
    """The hybrid of a version whose co-visitation goes on being counted."""
    return Hybrid(CountedSources(covisitation, parts.neighbours, parts.reading), parts.weights)


def readings_of(touches: Touches, rows: NDArray[np.int64], reading: Reading) -> Readings:
    """What counts read of these touches: the newest ones that do not turn an item down.

    Args:
        touches: B users'.
        rows: (E,) the counts' row of each touch, negative for none.
        reading: how far back, and what older ones are worth.
    """
    read = _SPEAKS_FOR[touches.kinds]
    return newest_readings(touches.users[read], rows[read], reading.length, reading.recency)


def _readings(view: IndexView, asking: Asking, reading: Reading) -> Readings:
    return readings_of(asking.touches, view.rows.rows_of(asking.touches.items), reading)


def _by_slots(entries: Entries, view: IndexView) -> Entries:
    """The same of slots instead of rows; without items that the index does not know."""
    slots = view.rows.slots_of(entries.items)
    known = slots >= 0
    if known.all():
        return Entries(entries.users, slots, entries.worth)
    return Entries(entries.users[known], slots[known], entries.worth[known])
