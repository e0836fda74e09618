"""What a batch of users did to items, as columns: read once, and everything about lists is computed from it.

Items are numbers here, given by whoever asks; what has no number is nobody's business and left out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from app.errors import StateError
from app.interests.columns import RECORD, STRENGTH_BYTES, TIME_BYTES
from app.interests.places import MOST_PLACES
from app.interests.state import Kind, UserState, decode_older, decode_places

OLDER: Final = np.dtype(
    [
        ("kinds", "<u2"),
        ("count", "<u2"),
        ("occasions", "<u2"),
        ("places", "<u2"),
        ("decayed", "<f4"),
        ("last_ts_ms", "<i8"),
        ("first_ts_ms", "<i8"),
    ]
)
"""A record of `OlderItems.records`: the fields of `OlderItem`."""

_NO_NUMBER: Final = -1
_KINDS: Final = bytes(Kind)
_PLACES: Final = bytes(range(MOST_PLACES + 1))


class History(Struct, frozen=True, gc=False):
    """What one user did, decoded as far as a batch of users is read together: columns as in `UserState`.

    `places` is never left out here; `place_ids[n - 1]` is the user's place n; `older` are the records of `older_ids`.
    """

    item_ids: list[str]
    kinds: bytes
    times: bytes
    strengths: bytes
    places: bytes
    place_ids: list[str]
    older_ids: list[str]
    older: bytes


def history_of(state: UserState) -> History:
    """What the user did.

    Raises:
        StateError: the state is damaged.
    """
    count = len(state.kinds)
    places = state.places or bytes(count)
    lengths = len(state.times) / TIME_BYTES, len(state.strengths) / STRENGTH_BYTES, len(places)
    if lengths != (count, count, count) or state.kinds.translate(None, _KINDS) or places.translate(None, _PLACES):
        raise StateError("A user's state cannot be read: its columns do not fit together.")
    try:
        older = decode_older(state.older)
        if len(older.records) % RECORD.size:
            raise StateError("A user's state cannot be read: its older items are no whole records.")
        place_ids = decode_places(state.known_places).ids
        return History(
            state.item_ids(), state.kinds, state.times, state.strengths, places, place_ids,
            older.item_ids(), older.records,
        )  # fmt: skip
    except msgspec.DecodeError as error:
        raise StateError(f"A user's state cannot be read: {error}.") from error


@dataclass(frozen=True, slots=True, eq=False)
class Touches:
    """E interactions of B users, one user's behind the other's, each oldest first; and O items from before those.

    Args:
        count: B.
        users: (E,) int64, whose: 0 to B - 1, ascending.
        items: (E,) int64, numbers.
        kinds: (E,) int64, of `Kind`.
        ts_ms: (E,) int64.
        strengths: (E,) float32.
        places: (E,) uint8, the user's own number of the place, 0 where it is not known.
        older_users: (O,) int64, as `users`.
        older_items: (O,) int64, as `items`.
        older: (O,) of `OLDER`.
        unnumbered: interactions that were left out.
    """

    count: int
    users: NDArray[np.int64]
    items: NDArray[np.int64]
    kinds: NDArray[np.int64]
    ts_ms: NDArray[np.int64]
    strengths: NDArray[np.float32]
    places: NDArray[np.uint8]
    older_users: NDArray[np.int64]
    older_items: NDArray[np.int64]
    older: NDArray[np.void]
    unnumbered: int

    @property
    def older_kinds(self) -> NDArray[np.int64]:
        """(O,) bit sets as `OlderItem.kinds`."""
        return self.older["kinds"].astype(np.int64)


def touches_of(histories: Sequence[History], number_of: Mapping[str, int]) -> Touches:
    """Lay histories one behind the other.

    Args:
        histories: B users'.
        number_of: item id -> number, from 0 on.
    """
    every = np.arange(len(histories))
    lengths = [len(history.kinds) for history in histories]
    older_lengths = [len(history.older_ids) for history in histories]
    numbers = _numbers([history.item_ids for history in histories], sum(lengths), number_of)
    users, items, kinds, ts_ms, strengths, places = _numbered(
        np.repeat(every, lengths),
        numbers,
        _column([history.kinds for history in histories], np.uint8).astype(np.int64),
        _column([history.times for history in histories], "<i8"),
        _column([history.strengths for history in histories], "<f4"),
        _column([history.places for history in histories], np.uint8),
    )
    older_users, older_items, older = _numbered(
        np.repeat(every, older_lengths),
        _numbers([history.older_ids for history in histories], sum(older_lengths), number_of),
        _column([history.older for history in histories], OLDER),
    )
    return Touches(
        count=len(histories),
        users=users,
        items=items,
        kinds=kinds,
        ts_ms=ts_ms,
        strengths=strengths,
        places=places,
        older_users=older_users,
        older_items=older_items,
        older=older,
        unnumbered=len(numbers) - len(items),
    )


def places_of(histories: Sequence[History], place_ids: Sequence[str | None]) -> NDArray[np.int64]:
    """(B,) each user's own number of a place, 0 where it is None or the user does not know it."""
    found = [
        history.place_ids.index(place) + 1 if place in history.place_ids else 0
        for history, place in zip(histories, place_ids, strict=True)
    ]
    return np.array(found, np.int64)


def _numbered(users: NDArray[np.int64], items: NDArray[np.int64], *others: NDArray[Any]) -> list[NDArray[Any]]:
    """The columns without the rows of items that have no number; nearly always all of them have one."""
    columns, known = [users, items, *others], items != _NO_NUMBER
    return columns if known.all() else [column[known] for column in columns]


def _numbers(item_ids: Sequence[Iterable[str]], count: int, number_of: Mapping[str, int]) -> NDArray[np.int64]:
    every = chain.from_iterable(item_ids)
    return np.fromiter(map(number_of.get, every, repeat(_NO_NUMBER)), np.int64, count)


def _column(parts: Sequence[bytes], dtype: Any) -> NDArray[Any]:
    return np.frombuffer(b"".join(parts), dtype)
