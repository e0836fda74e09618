"""Events into Kafka: all acknowledged, or refused in bounded time; and only so many at once."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError

from app.gateway.events import Outbound
from app.gateway.posting import BUSY, NOT_TAKEN, Posting, PostingLimits, Stored
from app.gateway.problems import Problem

EVENTS = [Outbound(f"e{number}", "ann", b"{}") for number in range(3)]


class Broker:
    """Takes events when it is told to."""

    def __init__(self) -> None:
        self.handed_over: list[asyncio.Future[Any]] = []

    async def send(self, _event: Outbound) -> "asyncio.Future[Any]":
        self.handed_over.append(asyncio.get_running_loop().create_future())
        return self.handed_over[-1]

    def acknowledge(self, error: Exception | None = None) -> None:
        for offset, each in enumerate(self.handed_over):
            if not each.done() and error is None:
                each.set_result(SimpleNamespace(partition=1, offset=offset, timestamp=5))
            elif not each.done():
                each.set_exception(error or AssertionError)


def posting(broker: Broker, timeout_s: float = 5.0) -> Posting:
    return Posting(broker.send, PostingLimits(4, timeout_s))


async def under_way(work: Posting, events: Sequence[Outbound]) -> "asyncio.Task[list[Stored] | Problem]":
    task = asyncio.create_task(work.post(events))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return task


async def test_the_answer_waits_for_every_acknowledgement_and_says_where_each_event_lies() -> None:
    broker = Broker()
    task = await under_way(posting(broker), EVENTS)
    assert not task.done()
    broker.acknowledge()
    assert await task == [Stored(f"e{number}", 1, number, 5) for number in range(3)]


async def test_what_is_too_much_at_once_is_refused_until_there_is_room() -> None:
    broker = Broker()
    work = posting(broker)
    first = await under_way(work, EVENTS)
    assert await work.post(EVENTS) == BUSY
    broker.acknowledge()
    await first
    assert work.in_flight == 0
    large = await under_way(work, EVENTS * 3)  # larger than the bound: alone it goes
    broker.acknowledge()
    assert isinstance(await large, list)


async def test_a_kafka_that_does_not_answer_is_not_waited_for_and_a_late_answer_harms_nobody() -> None:
    broker = Broker()
    work = posting(broker, timeout_s=0.01)
    assert await work.post(EVENTS) == NOT_TAKEN
    assert work.in_flight == 0
    broker.acknowledge(KafkaTimeoutError())
    await asyncio.sleep(0)


async def test_one_event_that_kafka_refuses_refuses_the_whole() -> None:
    broker = Broker()
    task = await under_way(posting(broker), EVENTS)
    broker.handed_over[1].set_exception(KafkaTimeoutError())
    broker.acknowledge()
    assert await task == NOT_TAKEN


async def test_a_bug_is_not_taken_for_a_kafka_that_is_away() -> None:
    broker = Broker()
    task = await under_way(posting(broker), EVENTS)
    broker.acknowledge(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await task
