"""What a model version holds beside its network: the counts at the cut, and how much each source counts."""

from dataclasses import dataclass, field
from typing import Final

import msgspec

from model_server.counts.covisitation import CountedPairs, CoVisitationOptions
from model_server.counts.neighbours import NeighbourTable, Reading
from model_server.hybrid.blend import NETWORK_ALONE, BlendWeights


class BlendGain(msgspec.Struct, frozen=True, kw_only=True):
    """What choosing the weights found, on validation users; zeros where there were too few of them."""

    users: int = 0
    network_hr10: float = 0.0
    network_ndcg10: float = 0.0
    blended_hr10: float = 0.0
    blended_ndcg10: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class HybridParts:
    """See the module. Items are the rows of the network's ID table.

    Args:
        covisitation: at the cut.
        options: how it was and will be counted.
        neighbours: of items.
        reading: how a history reads them.
        weights: of the blended sources.
        gain: of these weights.
    """

    covisitation: CountedPairs
    options: CoVisitationOptions
    neighbours: NeighbourTable
    reading: Reading
    weights: BlendWeights = NETWORK_ALONE
    gain: BlendGain = field(default_factory=BlendGain)


_UNREAD: Final = Reading(recency=1.0, length=1)


def network_alone(items: int) -> HybridParts:
    """Nothing is counted yet and nothing is blended in."""
    return HybridParts(CountedPairs.none(items), CoVisitationOptions(), NeighbourTable.empty(items), _UNREAD)
