"""What is left of items behind the newest interactions: how often, how lately, in what rhythm, and where."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from app.errors import StateError
from app.interests.older import (
    DAILY_DECAY,
    MS_PER_DAY,
    OCCASION_GAP_MS,
    Leaving,
    OlderBounds,
    merge,
    newer_half,
    retire,
    without_place,
)
from app.interests.state import (
    NO_OLDER,
    NO_PLACES,
    Interaction,
    Kind,
    OlderItem,
    OlderItems,
    decode_older,
    decode_state,
    encode_state,
)
from tests.support.states import row_before_this_version

MINUTE_MS = 60_000
PLENTY = OlderBounds(max_items=1_000, oldest_ms=0)


def left(*leaving: tuple[str, int], bounds: OlderBounds = PLENTY) -> dict[str, OlderItem]:
    return decode_older(
        retire(NO_OLDER, [Leaving(item, Kind.VIEW, ts_ms, 0) for item, ts_ms in leaving], bounds)
    ).items()


def test_interactions_half_an_hour_apart_are_one_occasion_and_a_record_knows_its_rhythm() -> None:
    times = [0, 20 * MINUTE_MS, 50 * MINUTE_MS, 81 * MINUTE_MS, MS_PER_DAY]
    item = left(*(("tea", ts_ms) for ts_ms in times))["tea"]
    assert (item.count, item.occasions, item.first_ts_ms, item.last_ts_ms) == (5, 3, 0, MS_PER_DAY)
    begun_ms = [0, 81 * MINUTE_MS, MS_PER_DAY]
    decayed = sum(DAILY_DECAY ** ((MS_PER_DAY - ts_ms) / MS_PER_DAY) for ts_ms in begun_ms)
    assert item.decayed == pytest.approx(decayed, rel=1e-6)


def test_what_was_done_and_where_are_bit_sets() -> None:
    older = retire(NO_OLDER, [Leaving("tea", Kind.CLICK, 1, 3), Leaving("tea", Kind.PURCHASE, 2, 0)], PLENTY)
    item = decode_older(older).items()["tea"]
    assert (item.kinds, item.places) == (1 << Kind.CLICK | 1 << Kind.PURCHASE, 1 << 3 | 1)
    assert decode_older(without_place(older, 3)).items()["tea"].places == 1
    assert without_place(older, 4) == older


def test_a_late_interaction_is_an_occasion_only_far_from_both_ends() -> None:
    day = MS_PER_DAY
    for late_ms, occasions in ((day + OCCASION_GAP_MS, 2), (5 * day, 3), (9 * day, 2), (0, 3)):
        item = left(("tea", day), ("tea", 9 * day), ("tea", late_ms))["tea"]
        assert item.occasions == occasions
        assert (item.first_ts_ms, item.last_ts_ms) == (min(day, late_ms), 9 * day)


def test_the_first_to_leave_goes_first_and_what_is_touched_again_stays() -> None:
    bounds = OlderBounds(max_items=3, oldest_ms=0)
    assert list(left(("a", 1), ("b", 2), ("c", 3), ("a", 4), ("d", 5), bounds=bounds)) == ["c", "a", "d"]
    assert list(left(("a", 1), ("b", 2), ("a", 3), bounds=OlderBounds(3, oldest_ms=3))) == ["a"]


ITEMS = st.dictionaries(
    st.sampled_from("abcdef"),
    st.builds(
        lambda kinds, count, places, decayed, last, age: OlderItem(
            kinds, count, count, places, decayed, last, max(0, last - age)
        ),
        st.integers(0, 0x1FF), st.integers(1, 0xFFFF), st.integers(0, 0xFFFF), st.integers(0, 64),
        st.integers(0, 10**12), st.integers(0, 10**12),
    ),
)  # fmt: skip


@given(ITEMS, ITEMS)
def test_to_take_over_the_same_past_twice_changes_nothing(
    own: dict[str, OlderItem], theirs: dict[str, OlderItem]
) -> None:
    once = merge(Raw(msgspec.msgpack.encode(OlderItems.of(own))), theirs, PLENTY)
    assert merge(once, theirs, PLENTY) == once
    items = decode_older(once).items()
    assert items.keys() == own.keys() | theirs.keys()
    for item_id, item in items.items():
        both = [each[item_id] for each in (own, theirs) if item_id in each]
        assert item.count == max(each.count for each in both)
        assert item.last_ts_ms == max(each.last_ts_ms for each in both)


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 10**9)), max_size=60), st.data())
def test_it_does_not_matter_in_how_many_cuts_they_leave(touched: list[tuple[str, int]], data: st.DataObject) -> None:
    leaving = [Leaving(item, Kind.VIEW, ts_ms, 0) for item, ts_ms in sorted(touched, key=lambda each: each[1])]
    cut = data.draw(st.integers(0, len(leaving)))
    whole = retire(NO_OLDER, leaving, PLENTY)
    parts = retire(retire(NO_OLDER, leaving[:cut], PLENTY), leaving[cut:], PLENTY)
    one, other = decode_older(whole).items(), decode_older(parts).items()
    assert list(one) == list(other)
    for item_id, item in one.items():
        assert item.decayed == pytest.approx(other[item_id].decayed, rel=1e-5)  # a float32 between the cuts
        assert msgspec.structs.replace(item, decayed=0.0) == msgspec.structs.replace(other[item_id], decayed=0.0)


def test_half_of_nothing_is_nothing() -> None:
    assert newer_half(NO_OLDER) is None


def test_a_state_of_the_version_before_keeps_everything_that_it_knew() -> None:
    interactions = [Interaction("new", Kind.RATE, 9, 4.5)]
    older = {"tea": (1 << Kind.PURCHASE, 3, 5), "milk": (1 << Kind.VIEW, 70_000, 6)}
    row = row_before_this_version(7, interactions, older)
    state = decode_state(row)
    assert (state.state_version, state.cause.event_id, state.recent_events) == (7, "e", b"8 bytes.")
    assert state.interactions() == interactions
    assert state.older_items() == {
        "tea": OlderItem(1 << Kind.PURCHASE, 3, 1, 1, 1.0, 5, 5),
        "milk": OlderItem(1 << Kind.VIEW, 0xFFFF, 1, 1, 1.0, 6, 6),
    }
    assert (state.places, state.known_places) == (b"", NO_PLACES)
    assert decode_state(encode_state(state)) == state
    with pytest.raises(StateError, match="cannot be read"):
        decode_state(row[:-1])
