"""A state that is too large loses its oldest things first, and ends with nothing to lose."""

from app.contracts.events import Inherit, View, decode_event, encode_event
from app.interests.shrink import encode_fitting, halved
from app.interests.state import (
    Interaction,
    Kind,
    OlderItem,
    Query,
    StateCause,
    UserState,
    decode_state,
    encode_state,
)


def test_older_items_go_before_interactions_and_at_last_nothing_is_left() -> None:
    interactions = [Interaction(f"i{n}", Kind.VIEW, n) for n in range(9)]
    older = {f"o{n}": OlderItem(1, 1, 1, 1, 1.0, n, n) for n in range(9)}
    steps: list[UserState] = []
    state: UserState | None = UserState.of(5, StateCause("e", "view", 1, 1), interactions, older=older)
    while state is not None:
        steps.append(decode_state(encode_state(state)))
        state = halved(state)
    assert [len(step.older_items()) for step in steps] == [9, 4, 1, 0, 0, 0, 0]
    assert [len(step.kinds) for step in steps] == [9, 9, 9, 9, 4, 1, 0]
    assert steps[4].interactions() == interactions[5:]
    assert {step.state_version for step in steps} == {5}


def test_an_inheritance_that_is_too_large_hands_over_the_newest_that_fit() -> None:
    inherit = Inherit(
        event_id="e", user_id="ann", ts_ms=9,
        interactions=tuple(Interaction(f"i{n}" + "\x01" * 100, Kind.VIEW, n) for n in range(9)),
        queries=tuple(Query(f"q{n}" + "\x01" * 100, n) for n in range(9)),
        older={f"o{n}" + "\x01" * 100: OlderItem(1, 1, 1, 1, 1.0, n, n) for n in range(9)},
    )  # fmt: skip
    whole = encode_event(inherit)
    assert encode_fitting(inherit, len(whole)) == whole

    sizes = []
    for most in range(len(whole), 100, -500):
        value = encode_fitting(inherit, most)
        fitting = decode_event(value)
        assert isinstance(fitting, Inherit)
        assert len(value) <= most
        sizes.append((len(fitting.older), len(fitting.interactions), len(fitting.queries)))
        assert fitting.interactions == inherit.interactions[9 - len(fitting.interactions) :]
        assert fitting.queries == inherit.queries[9 - len(fitting.queries) :]
        assert list(fitting.older) == list(inherit.older)[9 - len(fitting.older) :]
    assert list(dict.fromkeys(sizes)) == [(9, 9, 9), (4, 9, 9), (1, 9, 9), (0, 9, 9), (0, 4, 4), (0, 1, 1), (0, 0, 0)]


def test_another_event_is_never_cut() -> None:
    view = View(event_id="e", user_id="ann", ts_ms=9, item_id="tea")
    assert encode_fitting(view, 1) == encode_event(view)
