"""What a ranker's numbers are called outside: items, places and people."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.data.interactions import Interactions

_BYTES: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class Names:
    """Names by number.

    Args:
        item_ids: (N,) of the tables' items.
        place_ids: of the tables' places.
        people: (U,) int64 fingerprints of the log's users: who comes again must be recognised, and a model version
            names no user.
    """

    item_ids: tuple[str, ...]
    place_ids: tuple[str, ...]
    people: NDArray[np.int64]


def names_of(log: Interactions) -> Names:
    """The names of a log's numbers."""
    return Names(log.item_ids, log.place_ids, fingerprints(log.user_ids))


def fingerprints(user_ids: Iterable[str]) -> NDArray[np.int64]:
    """The same number for the same id, on every machine."""
    digests = [hashlib.blake2b(user_id.encode(), digest_size=_BYTES).digest() for user_id in user_ids]
    return np.frombuffer(b"".join(digests), "<i8").astype(np.int64)
