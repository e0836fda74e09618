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
from app.interests.columns import STRENGTH_BYTES, TIME_BYTES
from app.interests.state import Kind, UserState

_NO_NUMBER: Final = -1
_KINDS: Final = bytes(Kind)


class _OlderKinds(Struct, frozen=True, array_like=True, gc=False):
    """The beginning of an `OlderItem`."""

    kinds: int


_decode_older = msgspec.msgpack.Decoder(dict[str, _OlderKinds]).decode


class History(Struct, frozen=True, gc=False):
    """What one user did, decoded as far as a batch of users is read together: columns as in `UserState`."""

    item_ids: list[str]
    kinds: bytes
    times: bytes
    strengths: bytes
    older: dict[str, _OlderKinds]


def history_of(state: UserState) -> History:
    """What the user did.

    Raises:
        StateError: the state is damaged.
    """
    count = len(state.kinds)
    lengths = len(state.times) / TIME_BYTES, len(state.strengths) / STRENGTH_BYTES
    if lengths != (count, count) or state.kinds.translate(None, _KINDS):
        raise StateError("A user's state cannot be read: its columns do not fit together.")
    try:
        return History(state.item_ids(), state.kinds, state.times, state.strengths, _decode_older(state.older))
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
        older_users: (O,) int64, as `users`.
        older_items: (O,) int64, as `items`.
        older_kinds: (O,) int64, bit sets as `OlderItem.kinds`.
        unnumbered: interactions that were left out.
    """

    count: int
    users: NDArray[np.int64]
    items: NDArray[np.int64]
    kinds: NDArray[np.int64]
    ts_ms: NDArray[np.int64]
    strengths: NDArray[np.float32]
    older_users: NDArray[np.int64]
    older_items: NDArray[np.int64]
    older_kinds: NDArray[np.int64]
    unnumbered: int


def touches_of(histories: Sequence[History], number_of: Mapping[str, int]) -> Touches:
    """Lay histories one behind the other.

    Args:
        histories: B users'.
        number_of: item id -> number, from 0 on.
    """
    every = np.arange(len(histories))
    lengths = [len(history.kinds) for history in histories]
    older_lengths = [len(history.older) for history in histories]
    numbers = _numbers([history.item_ids for history in histories], sum(lengths), number_of)
    users, items, kinds, ts_ms, strengths = _numbered(
        np.repeat(every, lengths),
        numbers,
        _column([history.kinds for history in histories], np.uint8).astype(np.int64),
        _column([history.times for history in histories], "<i8"),
        _column([history.strengths for history in histories], "<f4"),
    )
    older_users, older_items, older_kinds = _numbered(
        np.repeat(every, older_lengths),
        _numbers([history.older for history in histories], sum(older_lengths), number_of),
        np.array([one.kinds for history in histories for one in history.older.values()], np.int64),
    )
    return Touches(
        count=len(histories),
        users=users,
        items=items,
        kinds=kinds,
        ts_ms=ts_ms,
        strengths=strengths,
        older_users=older_users,
        older_items=older_items,
        older_kinds=older_kinds,
        unnumbered=len(numbers) - len(items),
    )


def _numbered(users: NDArray[np.int64], items: NDArray[np.int64], *others: NDArray[Any]) -> list[NDArray[Any]]:
    """The columns without the rows of items that have no number; nearly always all of them have one."""
    columns, known = [users, items, *others], items != _NO_NUMBER
    return columns if known.all() else [column[known] for column in columns]


def _numbers(item_ids: Sequence[Iterable[str]], count: int, number_of: Mapping[str, int]) -> NDArray[np.int64]:
    every = chain.from_iterable(item_ids)
    return np.fromiter(map(number_of.get, every, repeat(_NO_NUMBER)), np.int64, count)


def _column(parts: Sequence[bytes], dtype: Any) -> NDArray[Any]:
    return np.frombuffer(b"".join(parts), dtype)
