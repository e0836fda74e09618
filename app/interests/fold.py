"""The fold: users' events into their states, one user after the other. Pure, bounded, idempotent.

Order inside a state is event time; what is new is decided by offset. An event at or below a state's version was
applied before (a replay after a crash) and changes nothing, but its user is returned all the same: whatever the
crash kept from being published is published then. Its follow-ups are not repeated: they were acknowledged before any
state that contains the event was written (stream_agents.batch_path.delivery).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from app.contracts.events import Event, Forget, Impression, Inherit
from app.interests.draft import Bounds, Draft
from app.interests.follow_ups import follow_ups
from app.interests.intake import ReceivedEvent
from app.interests.item_kinds import ITEM_KINDS
from app.interests.state import UserState


class UserEvents(NamedTuple):
    """A user's events of one partition in log order, at least one, and the state before them if there is any."""

    key: bytes
    state: UserState | None
    events: Sequence[ReceivedEvent]


@dataclass(slots=True)
class Folded:
    """What a batch of events came to, beside its users' states; filled while those are taken out of `fold`.

    Attributes:
        follow_ups: events that this batch causes for other users (or for another partition), to be sent to `events`.
        applied: events that changed a state.
        replayed: events that a state already contained.
        duplicates: events sent twice by their sender.
        late: applied events older than the newest one of their user.
        rerouted: events that lay on the wrong partition; they are among the follow-ups.
        ignored: valid events that say nothing about interests: impressions, and what a user who was forgotten since
            would inherit.
    """

    follow_ups: list[Event] = field(default_factory=list)
    applied: int = 0
    replayed: int = 0
    duplicates: int = 0
    late: int = 0
    rerouted: int = 0
    ignored: int = 0


def fold(
    users: Iterable[UserEvents], bounds: Bounds, folded: Folded, *, is_home: Callable[[bytes], bool]
) -> Iterator[tuple[bytes, UserState | None]]:
    """Each user that its events touched, with the newest state; None for a forgotten one.

    Args:
        users: each of them once.
        bounds: how much to remember.
        folded: what else came of the events is added to it.
        is_home: does this partition own the user? Asked for users without a state only, since a user that has one
            is at home here.
    """
    for key, state, events in users:
        if state is None and not is_home(key):
            folded.follow_ups.extend(each.event for each in events)
            folded.rerouted += len(events)
            continue
        draft = _draft_of(state, events, bounds, folded)
        if draft is not None:
            yield key, draft.finish()


def _draft_of(state: UserState | None, events: Sequence[ReceivedEvent], bounds: Bounds, folded: Folded) -> Draft | None:
    """The state with these events applied; None where none of them touches it."""
    draft = Draft(state, bounds)
    touched = False
    for each in events:
        event = each.event
        if type(event) is Impression or (type(event) is Inherit and _too_late(each, event, draft)):
            folded.ignored += 1
            continue
        touched = True
        if each.offset <= draft.version:
            folded.replayed += 1
            continue
        if type(event) is Forget:
            folded.applied += 1
            folded.follow_ups += follow_ups(event, draft)
            draft = Draft(None, bounds)
            continue
        if not draft.remember(event.event_id):
            folded.duplicates += 1
            continue
        folded.late += draft.apply(each)
        folded.applied += 1
        if type(event) not in ITEM_KINDS:
            folded.follow_ups += follow_ups(event, draft)
    return draft if touched else None


def _too_late(received: ReceivedEvent, event: Inherit, draft: Draft) -> bool:
    """Whether the heir was forgotten between the login and this."""
    visitor = event.anonymous_id
    return received.offset > draft.version and visitor is not None and not draft.may_know(visitor)
