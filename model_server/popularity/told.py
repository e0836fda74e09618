"""What a partition's records tell who counts: which items were touched, and whom to forget."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from app.contracts.events import AddToCart, Click, Forget, Like, Purchase, Rate, View
from app.interests.intake import IntakeLimits, Refusal, SourceRecord, take_in
from app.interests.item_kinds import ITEM_KINDS

_INTEREST: Final = (View, Click, AddToCart, Purchase, Like, Rate)


class Touch(NamedTuple):
    """A user had to do with an item, at a place if it is known, and did not turn it down.

    `kind` is the number of a `Kind`; 0 where it does not matter.
    """

    user_id: str
    item_id: str
    ts_ms: int
    place: str | None = None
    kind: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """See the module; `touches` in log order."""

    touches: Sequence[Touch]
    forgotten: Sequence[str] = ()


class Counter(Protocol):
    """Counts events beside the model."""

    def count(self, told: Told) -> int:
        """Count a partition's newest; returns how many touches were new to it."""

    def refresh(self) -> None:
        """There was a pause: make ready what is read."""


def told_by(records: Sequence[SourceRecord], limits: IntakeLimits) -> Told:
    """Read records; the agents make dead letters of what is no event."""
    touches, forgotten = [], []
    for received in take_in(records, limits, _leave_to_the_agents):
        event = received.event
        if isinstance(event, _INTEREST):
            kind = ITEM_KINDS[type(event)].kind[0]
            touches.append(Touch(event.user_id, event.item_id, event.ts_ms, event.place, kind))
        elif isinstance(event, Forget):
            forgotten.append(event.user_id)
    return Told(touches, forgotten)


def _leave_to_the_agents(_refusal: Refusal) -> None:
    """They make the dead letters."""
