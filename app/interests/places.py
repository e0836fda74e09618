"""The few places that a user is known to come to: which number each has, and which one has to go. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Raw

from app.interests.columns import pack_byte, unpack_times
from app.interests.state import Place, decode_places

MOST_PLACES: Final = 15
NOWHERE: Final = pack_byte(0)  # in the column of places


def numbers(known: Raw) -> dict[str, bytes]:
    """Place id -> what stands for it in the column of places."""
    return {place.place_id: pack_byte(number) for number, place in enumerate(decode_places(known), 1)}


def last_uses(known: Sequence[Place], column: bytes, times: bytes) -> list[int]:
    """When the newest interaction at each place was; ms since 1970."""
    ts_ms = unpack_times(times)
    newest = [column.rfind(number) for number in range(1, len(known) + 1)]
    return [
        place.last_ts_ms if at < 0 else max(place.last_ts_ms, ts_ms[at])
        for place, at in zip(known, newest, strict=True)
    ]


def left(known: Sequence[Place], column: bytes, times: Sequence[int]) -> list[Place]:
    """The places, after these interactions left the newest ones; oldest first."""
    after = list(known)
    for number, ts_ms in zip(column, times, strict=True):
        if number:
            place = after[number - 1]
            after[number - 1] = Place(place.place_id, max(place.last_ts_ms, ts_ms))
    return after


def translation(theirs: Sequence[Place], own: Mapping[str, bytes]) -> list[int]:
    """What another user's numbers of places are to this one: bits, that of a place not known first."""
    return [1, *(1 << own.get(place.place_id, NOWHERE)[0] for place in theirs)]


def translated(bits: int, table: Sequence[int]) -> int:
    """A bit set of another user's places as one of this user's."""
    own = 0
    for number, bit in enumerate(table):
        if bits >> number & 1:
            own |= bit
    return own
