"""Was the item of a visitor's next event in the list that she had? The live counterpart of validation's HR@10.

Counted where lists are made: a score request carries the newest event, and the list before it was made here, unless the
partition has moved meanwhile. Of events that came faster than lists are made only the newest one counts. Beside the
gauge of what validation promised this shows the gap between offline and online: `rate(hits) / rate(events)` far below
the promise means that the shop has changed, that lists come late, or that nobody looks at them.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from app.interests.columns import TIME_BYTES, last_time
from app.observability import Metrics
from app.surfaces.touches import History
from model_server import metrics as table
from model_server.judging.metrics import CUTOFF
from model_server.registry.version import ModelVersion
from model_server.scoring.scorer import Scored
from model_server.swap.tally import Score, Tally

_VALIDATED: Final = "validation_hr10"


class _Shown(Struct, frozen=True, gc=False):
    """The newest event behind a list, and the list's first ten."""

    newest: tuple[str, bytes]
    item_ids: frozenset[str]


class LiveHits:
    """Counts them; remembers the lists of the users scored last. Not thread-safe: one scoring thread.

    Args:
        metrics: the process's.
        version: of the model.
        surface: whose list is looked at.
        tally: told as well of events that came soon after the one behind the list.
        soon_ms: what is soon.
        max_users: who was scored longest ago is forgotten first; about half a kilobyte each.
    """

    def __init__(
        self,
        metrics: Metrics,
        version: str,
        surface: str,
        *,
        tally: Tally,
        soon_ms: int,
        max_users: int = 50_000,
    ) -> None:
        self._metrics = metrics
        self._version = version
        self._surface = surface
        self._tally = tally
        self._soon_ms = soon_ms
        self._max_users = max_users
        self._shown: dict[str, _Shown] = {}  # who was scored longest ago first

    def watch(self, score: Score) -> Score:
        """The same scoring, looked at before and after."""

        def watched(user_ids: Sequence[str], histories: Sequence[History]) -> Scored:
            scored = score(user_ids, histories)
            for user_id, history, lists in zip(user_ids, histories, scored.lists, strict=True):
                if history.item_ids:
                    places = lists.get(self._surface, ())[:CUTOFF]
                    self._saw(user_id, _newest(history), frozenset(place.item_id for place in places))
            return scored

        return watched

    def _saw(self, user_id: str, newest: tuple[str, bytes], item_ids: frozenset[str]) -> None:
        before = self._shown.pop(user_id, None)
        if before is not None and before.newest != newest:
            hit = newest[0] in before.item_ids
            self._metrics.counter(table.LIVE_EVENTS, self._version).inc()
            self._metrics.counter(table.LIVE_HITS, self._version).inc(hit)
            if last_time(newest[1]) - last_time(before.newest[1]) <= self._soon_ms:
                counts = self._tally.now()
                counts.events += 1
                counts.hits += hit
        elif before is None and len(self._shown) >= self._max_users:
            del self._shown[next(iter(self._shown))]
        self._shown[user_id] = _Shown(newest, item_ids)


def promise(metrics: Metrics, version: ModelVersion) -> None:
    """Show what validation promised of the blended lists, or of the network where nothing is blended."""
    model = version.model
    promised = model.hybrid.gain.blended_hr10 if model.hybrid.gain.users else model.metrics.get(_VALIDATED)
    if promised is not None:
        metrics.gauge(table.VALIDATION_HR10, version.name).set(promised)


def _newest(history: History) -> tuple[str, bytes]:
    return history.item_ids[-1], history.times[-TIME_BYTES:]
