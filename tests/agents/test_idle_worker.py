"""A worker that has nothing to fetch, in a real coordinator of aiokafka that is not connected to anything."""

# ruff: noqa: SLF001  # aiokafka's private seams are what is tested here

import asyncio
import time
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, MagicMock

from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.structs import TopicPartition

from app.kafka.access import KafkaAccess
from app.kafka.topics import load_topics
from app.settings import AgentsSettings, KafkaSettings
from stream_agents import wiring

A_MONTH_S = 30 * 86_400.0


class Joining(GroupCoordinator):  # type: ignore[misc]  # aiokafka has no types
    """A coordinator whose every attempt to join the group succeeds; counts them."""

    joins = 0

    async def _do_rejoin_group(self, _subscription: Any) -> bool:
        self.joins += 1
        self.generation, self.member_id = self.joins, "member"
        self._rejoin_needed_fut = asyncio.get_running_loop().create_future()
        self._subscription.assign_from_subscribed([TopicPartition("events", 0)])
        return True


async def joins(coordinator: Joining, count: int) -> None:
    """Wait until it has joined so often."""
    async with asyncio.timeout(5):
        while coordinator.joins < count:  # noqa: ASYNC110  # it tells nobody
            await asyncio.sleep(0.005)


async def test_a_worker_that_fetched_nothing_for_a_month_joins_again_when_the_group_has_forgotten_it() -> None:
    config = wiring.AgentsConfig(
        KafkaAccess("127.0.0.1:9"), KafkaSettings(), AgentsSettings(), load_topics(), Path("/nowhere")
    )
    interval_s = wiring._faust_app(config).conf.broker_max_poll_interval
    assert interval_s is not None
    client, subscription = MagicMock(), SubscriptionState()
    client.coordinator_lookup, client.ready = AsyncMock(return_value=1), AsyncMock(return_value=True)
    subscription.register_fetch_waiters(set())
    coordinator = Joining(
        client, subscription, group_id="agents", retry_backoff_ms=5, enable_auto_commit=False,
        max_poll_interval_ms=int(1_000 * interval_s),
    )  # fmt: skip
    try:
        subscription.subscribe(topics={"events"})
        await joins(coordinator, 1)
        subscription._last_fetch_ended = time.monotonic() - A_MONTH_S

        coordinator.reset_generation()
        await joins(coordinator, 2)
    finally:
        coordinator._coordination_task.cancel()
        await asyncio.gather(coordinator._coordination_task, return_exceptions=True)
        await coordinator._stop_heartbeat_task()
