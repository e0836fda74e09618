"""Whether a challenger takes over. Pure: figures in, a decision out.

Looking again and again at an interval until it excludes 0 finds a difference where there is none. So there are few
looks, at numbers of events that were fixed before, each twice the one before it, and they share the 5 % of error
(Bonferroni; with three looks an interval of 98.3 % each). Spending functions (O'Brien and Fleming, 1979) would let the
last look have a little more, for a table that nobody can check by heart. The first look that excludes 0 decides.

An interval by the bootstrap over users needs users: below `LEAST_USERS` nothing is decided. Somebody who sends a
thousand events of one kind is drawn with all of them or with none, so what one visitor wants moves no champion.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from msgspec import Struct

from model_server.judging.bootstrap import Interval

LEAST_USERS: Final = 30
_ERROR: Final = 0.05


class Side(Struct, frozen=True, kw_only=True):
    """How one version did.

    Args:
        hr10, ndcg10: means over the events.
        coverage10: share of the catalogue that was in anybody's first ten.
        empty_share: of lists that were empty.
    """

    hr10: float
    ndcg10: float
    coverage10: float
    empty_share: float


class Figures(Struct, frozen=True, kw_only=True):
    """Challenger against champion on `events` live events of `users`; the intervals are of challenger less champion.

    Args:
        cold_hr10: on events of items that there was nothing to learn of; None where too few users had such an event.
    """

    events: int
    users: int
    level: float
    champion: Side
    challenger: Side
    ndcg10: Interval
    hr10: Interval
    cold_hr10: Interval | None = None

    def said(self) -> str:
        """In a line, for people."""
        low, high = self.ndcg10.low, self.ndcg10.high
        return (
            f"NDCG@10 {self.challenger.ndcg10:.4f} against {self.champion.ndcg10:.4f} on {self.events:,} events of "
            f"{self.users:,} users ({self.level:.1%} interval of the difference {low:+.4f} to {high:+.4f})"
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """How it is decided.

    Args:
        first_look: live events.
        looks: how many at most.
        coverage_kept: of the champion's coverage, what the challenger must have at least.
    """

    first_look: int
    looks: int
    coverage_kept: float

    @property
    def level(self) -> float:
        """Of the interval at every look."""
        return 1 - _ERROR / self.looks

    def events_at(self, look: int) -> int:
        """Live events at this look, the first of which is number 0."""
        return self.first_look << look


class Outcome(StrEnum):
    """What a look comes to."""

    PROMOTE = "promote"
    REFUSE = "refuse"
    LOOK_AGAIN = "look again"


@dataclass(frozen=True, slots=True)
class Decision:
    """An outcome and why, in words."""

    outcome: Outcome
    why: str


def decide(figures: Figures, look: int, rules: Rules) -> Decision:
    """What look number `look`, from 0, comes to."""
    if figures.users < LEAST_USERS:
        return _undecided(look, rules, f"{figures.users} users are too few to tell: {figures.said()}")
    if figures.ndcg10.high < 0:
        return Decision(Outcome.REFUSE, f"it is worse: {figures.said()}")
    if figures.ndcg10.low <= 0:
        return _undecided(look, rules, f"no difference shows: {figures.said()}")
    for trouble in _tripped(figures, rules):
        return Decision(Outcome.REFUSE, f"a guardrail: {trouble}; {figures.said()}")
    return Decision(Outcome.PROMOTE, f"it is better: {figures.said()}")


def _undecided(look: int, rules: Rules, why: str) -> Decision:
    return Decision(Outcome.LOOK_AGAIN if look + 1 < rules.looks else Outcome.REFUSE, why)


def _tripped(figures: Figures, rules: Rules) -> Iterator[str]:
    old, new = figures.champion, figures.challenger
    if figures.hr10.high < 0:
        yield f"HR@10 falls from {old.hr10:.4f} to {new.hr10:.4f}"
    if new.coverage10 < rules.coverage_kept * old.coverage10:
        yield f"coverage falls from {old.coverage10:.3f} to {new.coverage10:.3f}"
    if figures.cold_hr10 is not None and figures.cold_hr10.high < 0:
        yield f"HR@10 on new items falls by {-figures.cold_hr10.mean:.4f}"
    if new.empty_share > old.empty_share:
        yield f"empty lists rise from {old.empty_share:.4f} to {new.empty_share:.4f}"
