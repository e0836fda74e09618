"""Columns hold what was put into them, and a state made from objects gives them back."""

from hypothesis import given
from hypothesis import strategies as st

from app.interests.columns import (
    first_time,
    last_time,
    pack_ids,
    pack_strength,
    pack_time,
    unpack_ids,
    unpack_strengths,
    unpack_times,
)
from app.interests.state import Interaction, Kind, OlderItem, Query, StateCause, UserState, decode_state, encode_state

IDS = st.text(min_size=1, max_size=256)
TIMES = st.integers(0, 32_503_680_000_000)


@given(st.lists(IDS, max_size=70))
def test_ids(ids: list[str]) -> None:
    assert unpack_ids(pack_ids(ids), len(ids)) == ids


@given(st.lists(TIMES, max_size=70))
def test_times(times: list[int]) -> None:
    column = b"".join(map(pack_time, times))
    assert list(unpack_times(column)) == times
    assert (first_time(column), last_time(column)) == ((times[0], times[-1]) if times else (0, 0))


@given(st.lists(st.floats(width=32, allow_nan=False, min_value=-(2.0**127), max_value=2.0**127), max_size=70))
def test_strengths(strengths: list[float]) -> None:
    assert list(unpack_strengths(b"".join(map(pack_strength, strengths)))) == strengths


def test_a_state_of_objects_and_its_bytes_give_the_objects_back() -> None:
    interactions = [Interaction(f"item-{n}", Kind.RATE, 1_000 * n, n / 2) for n in range(20)]
    older = {"old": OlderItem(6, 3, 2, 9, 1.5, 5, 1)}
    state = UserState.of(7, StateCause("e", "rate", 1, 2), interactions, older=older, queries=[Query("tea", 9)])
    again = decode_state(encode_state(state))
    assert again == state
    assert again.interactions() == interactions
    assert again.older_items() == older
