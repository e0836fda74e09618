"""The fold: a list of one partition's events into its users' states. Pure, bounded, idempotent.

Order inside a state is event time; what is new is decided by offset. An event at or below a state's version was
applied before (a replay after a crash) and changes nothing, but its user is returned all the same: whatever the
crash kept from being published is published then.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from app.contracts.events import Event, Forget, Impression
from app.interests.draft import ITEM_KINDS, Bounds, Draft
from app.interests.follow_ups import follow_ups
from app.interests.intake import ReceivedEvent
from app.interests.state import UserState


@dataclass(slots=True)
class Folded:
    """What a batch of events made of its users.

    Attributes:
        states: every user that the batch touched, by key, with the newest state; None for a forgotten one.
        follow_ups: events that this batch causes for other users (or for another partition), to be sent to `events`.
        applied: events that changed a state.
        replayed: events that a state already contained.
        duplicates: events sent twice by their sender.
        late: applied events older than the newest one of their user.
        rerouted: events that lay on the wrong partition; they are among the follow-ups.
        ignored: valid events that say nothing about interests (impressions).
    """

    states: dict[bytes, UserState | None] = field(default_factory=dict)
    follow_ups: list[Event] = field(default_factory=list)
    applied: int = 0
    replayed: int = 0
    duplicates: int = 0
    late: int = 0
    rerouted: int = 0
    ignored: int = 0


def fold(
    states: Mapping[bytes, UserState],
    events: Mapping[bytes, Sequence[ReceivedEvent]],
    bounds: Bounds,
    *,
    is_home: Callable[[bytes], bool],
) -> Folded:
    """Fold one partition's events into the states of their users.

    Args:
        states: the states before, of those users that have one, by the user's key.
        events: the events of each user in log order, as from `take_in`.
        bounds: how much to remember.
        is_home: does this partition own the user? Asked for users without a state only, since a user that has one
            is at home here.
    """
    folded = Folded()
    for key, received in events.items():
        state = states.get(key)
        if state is None and not is_home(key):
            folded.follow_ups.extend(each.event for each in received)
            folded.rerouted += len(received)
        else:
            _fold_user(key, state, received, bounds, folded)
    return folded


def _fold_user(
    key: bytes, state: UserState | None, received: Sequence[ReceivedEvent], bounds: Bounds, folded: Folded
) -> None:
    draft = Draft(state, bounds)
    touched = False
    for each in received:
        event = each.event
        if type(event) is Impression:
            folded.ignored += 1
            continue
        touched = True
        if each.offset <= draft.version:
            folded.replayed += 1
        elif type(event) is Forget:
            folded.applied += 1
            folded.follow_ups += follow_ups(event, draft)
            draft = Draft(None, bounds)
            continue
        elif not draft.remember(event.event_id):
            folded.duplicates += 1
            continue
        else:
            folded.late += draft.apply(each)
            folded.applied += 1
        if type(event) not in ITEM_KINDS:
            folded.follow_ups += follow_ups(event, draft)
    if touched:
        folded.states[key] = draft.finish()
