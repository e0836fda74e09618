"""What a demo run has shown, as the JSON object that machines read."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct, to_builtins

from app.demo.scorecard import Ranking, percentile

_MS_PER_S = 1_000


class FreshnessMs(Struct, frozen=True):
    """Percentiles of the time from sending an event to holding a list that knows of it, milliseconds."""

    p50: float
    p95: float
    p99: float


class LiveQuality(Struct, frozen=True):
    """Each replayed event against the list that was on show, beside decayed popularity at the same moment."""

    hr10: float
    ndcg10: float
    popularity_hr10: float
    events_scored: int


class DemoReport(Struct, frozen=True):
    """One run.

    Attributes:
        accepted, rejected: as the agents counted them.
        lost: users who have no list for their last event, and events posted whose list is not on the visitor's page.
        freshness_ms: from Kafka to Kafka, of the visitors whose events a producer sends.
        browser_ms: from the gateway's POST to its stream, of the others.
    """

    events: int
    accepted: int
    rejected: int
    users_changed: int
    recommendations: int
    lost: int
    freshness_ms: FreshnessMs
    browser_ms: FreshnessMs
    live: LiveQuality
    model_version: str
    seconds: float

    def nothing_lost(self) -> bool:
        """Whether every event is accounted for, and every user's newest event answered."""
        return self.lost == 0 and self.events == self.accepted + self.rejected

    def as_json(self) -> dict[str, Any]:
        """The report as plain JSON values."""
        values: dict[str, Any] = to_builtins(self)
        return values


def freshness_of(sorted_s: Sequence[float]) -> FreshnessMs:
    """The percentiles of these times, given in seconds in ascending order."""
    shares = (0.50, 0.95, 0.99)
    return FreshnessMs(*(round(percentile(sorted_s, share) * _MS_PER_S, 1) for share in shares))


def quality_of(lists: Ranking, popularity: Ranking) -> LiveQuality:
    """The two rankings side by side."""
    return LiveQuality(
        hr10=round(lists.hit_rate, 4),
        ndcg10=round(lists.ndcg, 4),
        popularity_hr10=round(popularity.hit_rate, 4),
        events_scored=lists.events,
    )
