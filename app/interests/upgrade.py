"""A state of the schema version before this one, as bytes, made into one of this version: a shop keeps what it knows.

Version 2 kept an older item as kinds, count and last time, in a map by id, and no places. What it did not know stays
as little as is certain: one occasion, at the last time, at a place that is not known.
"""

from typing import Final

import msgspec
from msgspec import Raw

from app.interests.columns import MOST_COUNTED, RECORD, pack_ids

VERSION_BEFORE: Final = 2
_UNKNOWN_PLACE: Final = 1  # bit 0

_Fields = tuple[Raw, Raw, Raw, Raw, Raw, Raw, Raw, Raw, Raw, Raw]
_decode_fields = msgspec.msgpack.Decoder(_Fields).decode
_decode_older = msgspec.msgpack.Decoder(dict[str, tuple[int, int, int]]).decode
_encode = msgspec.msgpack.Encoder().encode


def upgraded(body: bytes) -> bytes:
    """The msgpack of a state of version 2 as that of version 3; both without the version's byte.

    Raises:
        msgspec.DecodeError: it is none.
    """
    *before, older, queries, aliases = _decode_fields(body)
    items = _decode_older(older)
    records = (
        RECORD.pack(kinds, min(count, MOST_COUNTED), 1, _UNKNOWN_PLACE, 1.0, last_ts_ms, last_ts_ms)
        for kinds, count, last_ts_ms in items.values()
    )
    return _encode([*before, (pack_ids(list(items)), b"".join(records)), queries, aliases, b"", ([], b"")])
