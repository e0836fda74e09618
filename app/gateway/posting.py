"""Events into Kafka: answered when every in-sync replica has them, refused in words when that takes too long."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.errors import KafkaError
from msgspec import Struct, field

from app.gateway.events import Outbound
from app.gateway.problems import Problem

RETRY_AFTER_S: Final = 1
BUSY: Final = Problem(
    429, "too_many_in_flight", "Too many events wait for Kafka; send slower.", retry_after_s=RETRY_AFTER_S
)
NOT_TAKEN: Final = Problem(
    503, "kafka_unavailable",
    "Kafka did not take all events in time. Send them again under the same event_id: those that it took count once.",
    retry_after_s=RETRY_AFTER_S,
)  # fmt: skip

logger = logging.getLogger(__name__)


class Stored(Struct, frozen=True):
    """Where Kafka has an event, and since when (ms since 1970)."""

    event_id: str
    partition: int
    offset: int
    received_ts_ms: int = field(name="received_ts")


Send = Callable[[Outbound], Awaitable["asyncio.Future[Any]"]]
"""Hands an event to a producer; the future is Kafka's acknowledgement."""


@dataclass(frozen=True, slots=True)
class PostingLimits:
    """How many events may wait for Kafka at once, and how long."""

    max_in_flight: int
    ack_timeout_s: float


def _read(acknowledgement: "asyncio.Future[Any]") -> None:
    """Nobody waits for it any more; an error that nobody reads would be logged as a bug."""
    if not acknowledgement.cancelled():
        acknowledgement.exception()


class Posting:
    """Sends what POSTs bring.

    Args:
        send: to Kafka.
        limits: what is bounded.
    """

    def __init__(self, send: Send, limits: PostingLimits) -> None:
        self._send = send
        self._limits = limits
        self.in_flight = 0

    async def post(self, events: Sequence[Outbound]) -> list[Stored] | Problem:
        """Send all of them; the order within a user is kept."""
        # A batch larger than the bound still goes, alone.
        if self.in_flight and self.in_flight + len(events) > self._limits.max_in_flight:
            return BUSY
        self.in_flight += len(events)
        sent: list[asyncio.Future[Any]] = []
        try:
            async with asyncio.timeout(self._limits.ack_timeout_s):
                for event in events:
                    sent.append(await self._send(event))
                # Shielded: what has been handed over may still arrive.
                taken = await asyncio.shield(asyncio.gather(*sent, return_exceptions=True))
        except (TimeoutError, KafkaError) as error:
            logger.warning("Kafka does not take events: %r", error)
            for acknowledgement in sent:
                acknowledgement.add_done_callback(_read)
            return NOT_TAKEN
        finally:
            self.in_flight -= len(events)
        return self._told(events, taken)

    def _told(self, events: Sequence[Outbound], taken: Sequence[Any]) -> list[Stored] | Problem:
        stored: list[Stored] = []
        for event, metadata in zip(events, taken, strict=True):
            if isinstance(metadata, KafkaError):
                logger.warning("Kafka does not take events: %r", metadata)
                return NOT_TAKEN
            if isinstance(metadata, BaseException):
                raise metadata
            stored.append(Stored(event.event_id, metadata.partition, metadata.offset, metadata.timestamp))
        return stored
