"""Interactions as columns of bytes, which grow at their end without being read.

The oldest interaction first: item ids (msgpack strings, one behind the other), kinds (a byte each), times (int64,
little-endian, ms since 1970), strengths (float32, little-endian) and places (a byte each; no byte at all of a user who
never told one). An event that comes in order is four or five concatenations, however long the history is; a list of
objects had to be decoded and encoded whole for every event.

Items whose interactions are behind the newest ones: a column of ids, too, and a record of fixed length each.
"""

import struct
import sys
from array import array
from collections.abc import Callable
from typing import Any, Final

import msgspec

TIME_BYTES: Final = 8
STRENGTH_BYTES: Final = 4
RECORD: Final = struct.Struct("<HHHHfqq")
"""The fields of an `app.interests.state.OlderItem`."""
MOST_COUNTED: Final = 0xFFFF  # in a record
_SHORT: Final = 15  # the length of so short a msgpack array is in its first byte
_HEADS: Final = (1, 3)  # bytes before the first element of a short msgpack array, and of a longer one

_encode: Final = msgspec.msgpack.Encoder().encode
pack_id: Final = _encode
pack_time: Final = struct.Struct("<q").pack
_id_lists: Final = msgspec.msgpack.Decoder(list[str])
pack_byte: Final = [bytes([number]) for number in range(256)].__getitem__
_pack_float: Final = struct.Struct("<f").pack
USUAL_STRENGTH: Final = _pack_float(1.0)
_MOST: Final = 3.4e38  # of a float32


_time_at: Final[Callable[..., tuple[int]]] = struct.Struct("<q").unpack_from


def pack_strength(strength: float) -> bytes:
    """Four bytes; a number too large for them becomes the largest."""
    return _pack_float(min(max(strength, -_MOST), _MOST))


def first_time(times: bytes) -> int:
    """The oldest time of a column; 0 of an empty one."""
    return _time_at(times)[0] if times else 0


def last_time(times: bytes) -> int:
    """The newest time of a column; 0 of an empty one."""
    return _time_at(times, len(times) - TIME_BYTES)[0] if times else 0


def pack_ids(ids: list[str]) -> bytes:
    """The column of these ids, at most 65,535."""
    return _encode(ids)[_HEADS[len(ids) > _SHORT] :]


def unpack_ids(column: bytes, count: int) -> list[str]:
    """The ids in a column of `count`.

    Raises:
        msgspec.DecodeError: it is none.
    """
    head = bytes([0x90 | count]) if count <= _SHORT else b"\xdc" + count.to_bytes(2)
    return _id_lists.decode(head + column)


def unpack_times(column: bytes) -> "array[int]":
    """The times in a column."""
    return _unpack("q", column)


def unpack_strengths(column: bytes) -> "array[float]":
    """The strengths in a column."""
    return _unpack("f", column)


def _unpack(code: str, column: bytes) -> "array[Any]":
    numbers = array(code, column)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
