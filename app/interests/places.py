"""The few places that a user is known to come to: which number each has, and which one has to go. Pure."""

from collections.abc import Sequence
from typing import Final

from app.interests.columns import pack_byte, pack_time, unpack_times
from app.interests.state import KnownPlaces, Place

MOST_PLACES: Final = 15
NOWHERE: Final = pack_byte(0)  # in the column of places


def last_uses(known: KnownPlaces, column: bytes, times: bytes) -> list[int]:
    """When the newest interaction at each place was; ms since 1970."""
    ts_ms = unpack_times(times)
    newest = [column.rfind(number) for number in range(1, len(known.ids) + 1)]
    return [
        known_ms if at < 0 else max(known_ms, ts_ms[at])
        for known_ms, at in zip(unpack_times(known.times), newest, strict=True)
    ]


def left(known: KnownPlaces, column: bytes, times: Sequence[int]) -> KnownPlaces:
    """The places, after these interactions left the newest ones; oldest first."""
    after = unpack_times(known.times)
    for number, ts_ms in zip(column, times, strict=True):
        if number:
            after[number - 1] = max(after[number - 1], ts_ms)
    return KnownPlaces(known.ids, b"".join(map(pack_time, after)))


def translation(theirs: Sequence[Place], own: Sequence[str]) -> list[int]:
    """What another user's numbers of places are to this one, who knows `own`: bits, that of a place not known first."""
    bits = {place_id: 1 << number for number, place_id in enumerate(own, 1)}
    return [1, *(bits.get(place.place_id, 1) for place in theirs)]


def translated(bits: int, table: Sequence[int]) -> int:
    """A bit set of another user's places as one of this user's."""
    own = 0
    for number, bit in enumerate(table):
        if bits >> number & 1:
            own |= bit
    return own
