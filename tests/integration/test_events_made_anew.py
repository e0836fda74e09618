"""The events topic is deleted and made again under a follower: what comes again is not counted again."""

import asyncio
import time

from aiokafka import AIOKafkaProducer

from app.contracts.events import View, encode_event
from app.interests.intake import IntakeLimits
from app.kafka.resolver import ResolvedKafka
from app.kafka.tail import open_tail
from app.kafka.topic_admin import apply_topics, delete_topics
from app.kafka.topics import Topics
from app.observability import Metrics
from model_server import metrics as table
from model_server.popularity.follower import Counting, follow_events
from model_server.popularity.told import Told
from tests.support.process import WAIT_S


class Heard:
    """A `Counter` that writes down which items it was told of."""

    def __init__(self) -> None:
        self.items: list[str] = []

    def count(self, told: Told) -> int:
        self.items += [touch.item_id for touch in told.touches]
        return len(told.touches)

    def refresh(self) -> None:
        """Nothing."""


async def send(bootstrap_servers: str, topics: Topics, items: str, began_ms: int) -> None:
    """Ada views them, a second each."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers) as producer:
        for item in items:
            ts_ms = began_ms + 1_000 * (ord(item) - ord("a"))
            event = View(event_id=item, user_id="ada", ts_ms=ts_ms, item_id=item)
            await producer.send_and_wait(topics.events.name, encode_event(event), key=b"ada")


async def test_a_topic_made_anew_is_followed_and_counted_once(kafka: ResolvedKafka, topics: Topics) -> None:
    address, heard, caught_up = kafka.access.bootstrap_servers, Heard(), asyncio.Event()
    now_ms = time.time_ns() // 1_000_000
    began_ms = now_ms - 60_000
    await send(address, topics, "abc", began_ms)
    counting = Counting([heard], IntakeLimits(10_000, 60_000), half_life_days=1.0)
    async with asyncio.timeout(WAIT_S), open_tail(kafka.access, topics.events, 5_000, client_id="test") as tail:
        following = asyncio.create_task(follow_events(tail, counting, lambda: now_ms, Metrics(table.TABLE), caught_up))
        await caught_up.wait()
        assert heard.items == ["a", "b", "c"]
        await asyncio.to_thread(delete_topics, kafka.access, topics)
        await asyncio.to_thread(apply_topics, kafka.access, topics)
        await send(address, topics, "bcd", began_ms)
        while "d" not in heard.items:  # what it waits for is a list
            assert not following.done(), following
            await asyncio.sleep(0.05)
        following.cancel()
        await asyncio.wait({following})
    assert heard.items == ["a", "b", "c", "d"]
