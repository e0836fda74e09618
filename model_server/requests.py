"""Score requests that wait to be scored: one per user, the newest. Pure: no Kafka client, no clock.

What may be committed follows from what waits: everything before the oldest request that is not done. A request that
a newer one of its user replaces is done, for the newer one lies further on in the log.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, Protocol

from msgspec import Struct

from app.errors import StateError
from app.interests.state import UserState, decode_state

_URGENT: Final = frozenset({"purchase"})
# Of a batch that does not hold everybody, this share goes to who waits the longest, urgent or not: a flood of
# purchases must not keep the others, and with them the commit, waiting for ever.
_OLDEST_SHARE: Final = 0.25


class RequestRecord(Protocol):
    """A record of `score-requests` as a Kafka client hands it over; `timestamp` in ms since 1970."""

    @property
    def key(self) -> bytes | None:
        """The user id."""

    @property
    def value(self) -> bytes | None:
        """The state, as `encode_state` makes it; None forgets the user."""

    @property
    def partition(self) -> int:
        """The user's partition."""

    @property
    def offset(self) -> int:
        """Its place there."""

    @property
    def timestamp(self) -> int:
        """When Kafka had it."""


class Request(Struct, frozen=True, gc=False):
    """One user to be scored; `state` is None for one to be forgotten."""

    user_id: str
    state: UserState | None
    partition: int
    offset: int
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class UnreadableRequest:
    """A record that is no score request, and why."""

    record: RequestRecord
    reason: str


def read_request(record: RequestRecord) -> Request | UnreadableRequest:
    """The request in this record; never raises for bad data."""
    try:
        if not record.key:
            return UnreadableRequest(record, "a score request needs the user id as its key")
        user_id = record.key.decode()
        state = None if record.value is None else decode_state(record.value)
    except (StateError, UnicodeDecodeError) as error:
        return UnreadableRequest(record, str(error))
    return Request(user_id, state, record.partition, record.offset, record.timestamp)


class Backlog:
    """The requests that wait; not thread-safe."""

    def __init__(self) -> None:
        self._waiting: dict[str, Request] = {}  # in the order in which the users began to wait
        self._read_until: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, requests: Iterable[Request]) -> int:
        """Take requests in, in the order of their log; returns how many collapsed into another of their user.

        The higher state version wins; the removal of a user wins over what lies before it and loses to what lies
        behind.
        """
        collapsed = 0
        waiting = self._waiting
        for request in requests:
            before = waiting.get(request.user_id)
            if before is not None:
                collapsed += 1
                if _is_older(request, before):
                    continue
            waiting[request.user_id] = request
        return collapsed

    def read_until(self, partition: int, offset: int) -> None:
        """Everything of the partition before `offset` has been handed to `add` (or was no request)."""
        self._read_until[partition] = offset

    def next_batch(self, most: int) -> list[Request]:
        """At most that many requests, those of buyers first; they wait on until they are `done`."""
        if len(self._waiting) <= most:
            return list(self._waiting.values())
        kept = int(most * _OLDEST_SHARE)
        urgent = (request for request in self._waiting.values() if _is_urgent(request))
        batch: dict[str, Request] = {}
        for request in chain(urgent, self._waiting.values()):
            if len(batch) == most - kept:
                break
            batch[request.user_id] = request
        for request in self._waiting.values():
            if len(batch) == most:
                break
            batch[request.user_id] = request
        return list(batch.values())

    def done(self, batch: Sequence[Request]) -> None:
        """These are published and acknowledged."""
        for request in batch:
            if self._waiting.get(request.user_id) is request:
                del self._waiting[request.user_id]

    def committable(self) -> Mapping[int, int]:
        """Partition -> the offset before which nothing waits."""
        safe = dict(self._read_until)
        for request in self._waiting.values():
            safe[request.partition] = min(safe.get(request.partition, request.offset), request.offset)
        return safe

    def clear(self) -> None:
        """Forget everything: the partitions belong to somebody else now, or will be read again."""
        self._waiting.clear()
        self._read_until.clear()


def _is_older(request: Request, other: Request) -> bool:
    if request.state is None or other.state is None:
        return False
    return request.state.state_version < other.state.state_version


def _is_urgent(request: Request) -> bool:
    return request.state is not None and request.state.cause.event_type in _URGENT
