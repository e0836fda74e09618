"""What a late state costs: the same questions, answered from what was known some events or some time ago.

Late is what is known of the user. What a recommender learned from everybody is as new as ever, and what the user has
had stays hidden even where the late state does not know of it: the loss that is measured is the least there can be.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np

from app.data.interactions import Interactions
from model_server.evaluation.asking import Change
from model_server.judging.cases import Cases

_SECOND_MS: Final = 1_000
_MINUTE_MS: Final = 60 * _SECOND_MS
_HOUR_MS: Final = 60 * _MINUTE_MS
_DAY_MS: Final = 24 * _HOUR_MS
_VISIT_GAP_MS: Final = 30 * _MINUTE_MS


@dataclass(frozen=True, slots=True)
class Lag:
    """By how much a state is late: it lacks the newest events, the newest visits, and what is younger than `time_ms`.

    A visit ends where more than 30 minutes pass without an event.
    """

    events: int = 0
    visits: int = 0
    time_ms: int = 0


CLICKS: Final[Mapping[str, Lag]] = {
    "1 event": Lag(events=1),
    "5 events": Lag(events=5),
    "50 events": Lag(events=50),
    "1 s": Lag(time_ms=_SECOND_MS),
    "10 s": Lag(time_ms=10 * _SECOND_MS),
    "1 min": Lag(time_ms=_MINUTE_MS),
    "5 min": Lag(time_ms=5 * _MINUTE_MS),
    "1 h": Lag(time_ms=_HOUR_MS),
}
"""Of people who click through pages."""

BASKETS: Final[Mapping[str, Lag]] = {
    "1 visit": Lag(visits=1),
    "2 visits": Lag(visits=2),
    "5 visits": Lag(visits=5),
    "20 visits": Lag(visits=20),
    "1 day": Lag(time_ms=_DAY_MS),
    "1 week": Lag(time_ms=7 * _DAY_MS),
    "4 weeks": Lag(time_ms=28 * _DAY_MS),
}
"""Of people who come to a shop now and then."""


def lags_of(protocol: str) -> Mapping[str, Change]:
    """Name -> what makes cases that late, fit for the protocol."""
    lags = BASKETS if protocol == "basket" else CLICKS
    return {name: partial(late, lag=lag) for name, lag in lags.items()}


def late(cases: Cases, lag: Lag) -> Cases:
    """The same cases as a state that late knows them."""
    known = [
        history.take(slice(0, _known(history, now_ms, lag)))
        for history, now_ms in zip(cases.histories, cases.now_ms.tolist(), strict=True)
    ]
    return replace(cases, histories=known)


def _known(history: Interactions, now_ms: int, lag: Lag) -> int:
    """How many of the oldest events the state has."""
    known = max(0, len(history) - lag.events)
    if lag.time_ms:
        known = min(known, int(np.searchsorted(history.ts_ms, now_ms - lag.time_ms, side="right")))
    if lag.visits:
        begins = np.flatnonzero(np.diff(history.ts_ms) > _VISIT_GAP_MS) + 1  # of every visit but the first
        known = min(known, int(begins[-lag.visits]) if len(begins) >= lag.visits else 0)
    return known
