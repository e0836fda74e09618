"""A data set as live traffic: its catalog and its events, in time order, into Kafka.

Event ids are made of the data set's fingerprint and the place in it, so two files of one name have different ones. A
repetition is recognised only as far as the agents remember, which is the newest 32 ids of each user: of whoever has
more events than that, a second replay counts all of them again.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.structs import RecordMetadata

from app.contracts.catalog import CatalogItem, encode_catalog_item
from app.contracts.events import (
    MOST_STARS,
    AddToCart,
    Click,
    Dislike,
    Event,
    Like,
    Purchase,
    Rate,
    RemoveFromCart,
    View,
    encode_event,
)
from app.data.interactions import Dataset, Interactions
from app.errors import DataError
from app.interests.state import Kind
from app.kafka.access import KafkaAccess

_EVENT_TYPES: Final[Mapping[Kind, type[View | Click | RemoveFromCart | Like | Dislike]]] = {
    Kind.VIEW: View,
    Kind.CLICK: Click,
    Kind.REMOVE_FROM_CART: RemoveFromCart,
    Kind.LIKE: Like,
    Kind.DISLIKE: Dislike,
}
_MOST_IN_FLIGHT: Final = 20_000
_FINGERPRINT_CHARACTERS: Final = 16  # 64 bits


def replay_producer(access: KafkaAccess) -> AIOKafkaProducer:
    """A producer for replays: every event acked by all replicas, none sent twice, large batches when hurried."""
    return AIOKafkaProducer(**access.arguments(), enable_idempotence=True, max_batch_size=131_072, linger_ms=0)


def events_of(dataset: Dataset, start: int, stop: int) -> Iterator[Event]:
    """The data set's interactions `start` to `stop` (by time, ties in file order) as events.

    Raises:
        DataError: before the first one, if there are stars among them that no event may have.
    """
    log = dataset.interactions
    ratings = log.ratings[start:stop]
    if (beyond := (ratings < 0) | (ratings > MOST_STARS)).any():
        raise DataError(
            f"{dataset.name} has ratings such as {ratings[beyond][0]:g}; an event may have 0 to {MOST_STARS}.",
            hint="Scale the rating column.",
        )
    for number in range(start, stop):
        common = {
            "event_id": f"{dataset.fingerprint[:_FINGERPRINT_CHARACTERS]}-{number}",
            "user_id": log.user_ids[log.users[number]],
            "ts_ms": int(log.ts_ms[number]),
            "item_id": log.item_ids[log.items[number]],
            "place": _place_id(log, number),
        }
        kind = Kind(int(log.kinds[number]))
        if kind is Kind.RATE:
            stars = float(log.ratings[number])
            yield View(**common) if math.isnan(stars) else Rate(**common, rating=stars)
        elif kind in (Kind.PURCHASE, Kind.ADD_TO_CART):
            amount = float("nan") if log.quantities is None else float(log.quantities[number])
            quantity = amount if amount > 0 else 1.0  # NaN where the data has none
            yield (Purchase if kind is Kind.PURCHASE else AddToCart)(**common, quantity=quantity)
        else:
            yield _EVENT_TYPES[kind](**common)


def _place_id(log: Interactions, number: int) -> str | None:
    place = -1 if log.places is None else int(log.places[number])
    return None if place < 0 else log.place_ids[place]


async def paced(events: Iterable[Event], events_per_s: float) -> AsyncIterator[Event]:
    """The events, each at its moment: the n-th one n / events_per_s seconds after the first. 0: at once."""
    start = time.perf_counter()
    for place, event in enumerate(events):
        wait_s = start + place / events_per_s - time.perf_counter() if events_per_s else 0.0
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        yield event


async def publish_catalog(producer: AIOKafkaProducer, topic: str, items: Sequence[CatalogItem]) -> None:
    """Send every item and wait until Kafka has them all.

    Raises:
        aiokafka.errors.KafkaError: an item could not be delivered.
    """
    for start in range(0, len(items), _MOST_IN_FLIGHT):
        part = items[start : start + _MOST_IN_FLIGHT]
        sent = [await producer.send(topic, encode_catalog_item(item), key=item.item_id.encode()) for item in part]
        await asyncio.gather(*sent)


async def publish_events(
    producer: AIOKafkaProducer,
    topic: str,
    events: AsyncIterator[Event],
    on_sent: Callable[[Event], None],
    on_stored: Callable[[Event, int, float], None],
) -> None:
    """Send the events in their order and wait until Kafka has them all.

    Args:
        producer: started.
        topic: the events topic.
        events: what to send, at the pace at which they come.
        on_sent: told of each event as it goes out.
        on_stored: told its offset and when it went out (`time.perf_counter()`), once Kafka has it.

    Raises:
        aiokafka.errors.KafkaError: an event could not be delivered.
    """
    pending: set[asyncio.Future[RecordMetadata]] = set()
    async for event in events:
        sent_s = time.perf_counter()
        stored = await producer.send(topic, encode_event(event), key=event.user_id.encode())
        on_sent(event)
        stored.add_done_callback(partial(_tell, event, sent_s, on_stored))
        pending.add(stored)
        if len(pending) >= _MOST_IN_FLIGHT:
            await asyncio.gather(*pending)
            pending.clear()
    await asyncio.gather(*pending)


def _tell(
    event: Event,
    sent_s: float,
    on_stored: Callable[[Event, int, float], None],
    stored: "asyncio.Future[RecordMetadata]",
) -> None:
    if not stored.cancelled() and stored.exception() is None:
        on_stored(event, stored.result().offset, sent_s)
