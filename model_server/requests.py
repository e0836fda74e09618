"""Score requests that wait to be scored: one per user, the newest. Pure: no Kafka client, no clock.

A request waits, then it is in hand (of who scores and publishes it), then it is done. What may be committed follows:
everything before the oldest request that is not done. A request that a newer one of its user replaces while it waits
is done, for the newer one lies further on in the log; one that is in hand stays there, and the newer one waits.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, Protocol

from msgspec import Struct

from app.errors import StateError
from app.interests.state import UserState, decode_state
from app.surfaces.touches import History, history_of

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
    """One user to be scored; `state`, and `history` as it tells, are None for one to be forgotten."""

    user_id: str
    state: UserState | None
    history: History | None
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
        if record.value is None:
            return Request(user_id, None, None, record.partition, record.offset, record.timestamp)
        state = decode_state(record.value)
        history = history_of(state)
    except (StateError, UnicodeDecodeError) as error:
        return UnreadableRequest(record, str(error))
    return Request(user_id, state, history, record.partition, record.offset, record.timestamp)


class Backlog:
    """The requests that wait, and those in hand; its length is the number of those that wait. Not thread-safe."""

    def __init__(self) -> None:
        self._waiting: dict[str, Request] = {}  # in the order in which the users began to wait
        self._in_hand: dict[tuple[int, int], Request] = {}  # by partition and offset
        self._read_until: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def in_hand(self) -> int:
        """How many requests were taken and are not done."""
        return len(self._in_hand)

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
        """Take at most that many requests in hand, those of buyers first, until they are `done`."""
        batch = self._chosen(most)
        for request in batch:
            del self._waiting[request.user_id]
            self._in_hand[request.partition, request.offset] = request
        return batch

    def _chosen(self, most: int) -> list[Request]:
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
            self._in_hand.pop((request.partition, request.offset), None)

    def committable(self) -> Mapping[int, int]:
        """Partition -> the offset before which nothing waits or is in hand."""
        safe = dict(self._read_until)
        for request in chain(self._waiting.values(), self._in_hand.values()):
            safe[request.partition] = min(safe.get(request.partition, request.offset), request.offset)
        return safe

    def clear(self) -> None:
        """Forget everything: the partitions belong to somebody else now, or will be read again."""
        self._waiting.clear()
        self._in_hand.clear()
        self._read_until.clear()


def _is_older(request: Request, other: Request) -> bool:
    if request.state is None or other.state is None:
        return False
    return request.state.state_version < other.state.state_version


def _is_urgent(request: Request) -> bool:
    return request.state is not None and request.state.cause.event_type in _URGENT
