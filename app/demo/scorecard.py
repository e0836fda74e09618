"""What the shop's side saw: hits of the lists that were on show, freshness, and whether anything was lost. Pure."""

import math
from bisect import insort
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from app.contracts.events import Event
from app.contracts.recommendations import Recommendations

TOP: Final = 10


@dataclass(frozen=True, slots=True)
class Arrival:
    """A list as it reached the shop; `arrived_s` on the shop's clock, in seconds."""

    recommendations: Recommendations
    arrived_s: float


@dataclass(slots=True)
class Ranking:
    """Prequential quality: each event is held against the list that was there before it."""

    events: int = 0
    hits: int = 0
    gain: float = 0.0

    def judge(self, shown: Sequence[str], wanted: str) -> bool:
        """Count one event; True when it was among the first ten."""
        self.events += 1
        if wanted not in shown[:TOP]:
            return False
        self.hits += 1
        self.gain += 1 / math.log2(shown.index(wanted) + 2)
        return True

    @property
    def hit_rate(self) -> float:
        """HR@10."""
        return self.hits / self.events if self.events else 0.0

    @property
    def ndcg(self) -> float:
        """NDCG@10 with one relevant item."""
        return self.gain / self.events if self.events else 0.0


@dataclass(frozen=True, slots=True)
class _Sent:
    offset: int
    sent_s: float


@dataclass(slots=True)
class Ledger:
    """Who was sent what, and which list answered: the shop's own account of what riverrun owes it.

    An event is answered by the first list whose `state_version` is at or past the event's offset.
    """

    newest: dict[str, Arrival] = field(default_factory=dict)
    freshness_s: list[float] = field(default_factory=list)
    lists_seen: int = 0
    _newest_event: dict[str, str] = field(default_factory=dict)
    _unanswered: defaultdict[str, deque[_Sent]] = field(default_factory=lambda: defaultdict(deque))

    def sent(self, event: Event) -> None:
        """The event went out: it is now the newest of its user."""
        self._newest_event[event.user_id] = event.event_id

    def stored(self, event: Event, offset: int, sent_s: float) -> None:
        """Kafka has the event at this offset; its list may have come back even before this news."""
        arrival = self.newest.get(event.user_id)
        if arrival is not None and arrival.recommendations.state_version >= offset:
            insort(self.freshness_s, arrival.arrived_s - sent_s)
        else:
            self._unanswered[event.user_id].append(_Sent(offset, sent_s))

    def arrived(self, user_id: str, arrival: Arrival) -> bool:
        """A list came; False when a newer one is here already."""
        self.lists_seen += 1
        before = self.newest.get(user_id)
        version = arrival.recommendations.state_version
        if before is not None and before.recommendations.state_version >= version:
            return False
        self.newest[user_id] = arrival
        waiting = self._unanswered.get(user_id)
        while waiting and waiting[0].offset <= version:
            insort(self.freshness_s, arrival.arrived_s - waiting.popleft().sent_s)
        return True

    def shown(self, user_id: str, surface: str = "home") -> list[str]:
        """The items of the user's newest list; empty where there is none."""
        arrival = self.newest.get(user_id)
        return [item.item_id for item in arrival.recommendations.lists[surface]] if arrival else []

    def users(self) -> set[str]:
        """Everybody who was sent an event."""
        return set(self._newest_event)

    def owed(self) -> list[str]:
        """Users whose newest list was not caused by their newest event."""
        return [
            user_id
            for user_id, event_id in self._newest_event.items()
            if (arrival := self.newest.get(user_id)) is None or arrival.recommendations.cause.event_id != event_id
        ]

    def start_counting(self) -> None:
        """Forget who was sent what and how fast; keep the lists on show."""
        self._newest_event.clear()
        self._unanswered.clear()
        self.freshness_s.clear()
        self.lists_seen = 0


def percentile(sorted_values: Sequence[float], share: float) -> float:
    """The smallest value at or above this share of the values (nearest rank); 0 for none."""
    if not sorted_values:
        return 0.0
    return sorted_values[max(0, math.ceil(share * len(sorted_values)) - 1)]
