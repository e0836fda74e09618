"""A version's scoring, and what becomes of its lists: told to the guardrails and shown as metrics.

Was the item of a visitor's next event in the list that she had? That is the live counterpart of validation's HR@10.
It is counted where lists are made: a score request carries the newest event, and the list before it was made here,
unless the partition has moved meanwhile. Of events that came faster than lists are made only the newest one counts.
Beside the gauge of what validation promised this shows the gap between offline and online: `rate(hits) / rate(events)`
far below the promise means that the shop has changed, that lists come late, or that nobody looks at them.
"""

from collections.abc import Sequence
from typing import Final

from app.contracts.recommendations import NEWCOMER_ID
from app.observability import Metrics
from app.surfaces.touches import History
from model_server import metrics as table
from model_server.judging.metrics import CUTOFF
from model_server.registry.version import ModelVersion
from model_server.scoring.scorer import Score, Scored
from model_server.swap.shown import NextEvent, ShownLists
from model_server.swap.tally import Counts, Tally

_VALIDATED: Final = "validation_hr10"


class Watched:
    """A `Score` that looks at what another one makes. Not thread-safe: one scoring thread.

    Args:
        score: makes the lists.
        surface: whose lists are looked at.
        tally: told of every list, and of events that came soon after the one behind the list.
        soon_ms: what is soon.
        version: of the model, for the metrics.
        metrics: the process's.
    """

    def __init__(
        self, score: Score, surface: str, *, tally: Tally, soon_ms: int, version: str, metrics: Metrics
    ) -> None:
        self._score = score
        self._surface = surface
        self._tally = tally
        self._soon_ms = soon_ms
        self._version = version
        self._metrics = metrics
        self._shown = ShownLists()

    def __call__(self, user_ids: Sequence[str], histories: Sequence[History]) -> Scored:
        """Score, and look."""
        scored, counts = self._score(user_ids, histories), self._tally.now()
        nobody = sum(user_id == NEWCOMER_ID for user_id in user_ids)  # no fallback: there is nothing to know
        counts.lists += len(user_ids) - nobody
        counts.fallbacks += scored.fallback_users - nobody
        for user_id, history, lists in zip(user_ids, histories, scored.lists, strict=True):
            first_ten = lists.get(self._surface, ())[:CUTOFF]
            counts.empty += not first_ten
            event = self._shown.show(user_id, history, [place.item_id for place in first_ten])
            if event is not None:
                self._count(event, counts)
        return scored

    def _count(self, event: NextEvent, counts: Counts) -> None:
        self._metrics.counter(table.LIVE_EVENTS, self._version).inc()
        self._metrics.counter(table.LIVE_HITS, self._version).inc(event.hit)
        if event.after_ms <= self._soon_ms:
            counts.events += 1
            counts.hits += event.hit


def promise(metrics: Metrics, version: ModelVersion) -> None:
    """Show what validation promised of the blended lists, or of the network where nothing is blended."""
    model = version.model
    promised = model.hybrid.gain.blended_hr10 if model.hybrid.gain.users else model.metrics.get(_VALIDATED)
    if promised is not None:
        metrics.gauge(table.VALIDATION_HR10, version.name).set(promised)
