"""A state that is too large loses its oldest things first, and ends with nothing to lose."""

from app.interests.shrink import halved
from app.interests.state import Interaction, Kind, OlderItem, StateCause, UserState, decode_state, encode_state


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
