"""What a real coordinator of aiokafka has met, without a broker."""

# ruff: noqa: SLF001  # aiokafka's private seams are what is tested here

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import AsyncMock, MagicMock

from aiokafka import errors
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import SubscriptionState

from app.errors import KafkaForbidden, SettingsError
from stream_agents.batch_path.group_errors import check_group


@asynccontextmanager
async def coordinator_whose_join(*outcomes: Exception) -> AsyncIterator[Any]:
    """A coordinator with a subscription; each attempt to join comes to the next of these."""
    client, subscription = MagicMock(), SubscriptionState()
    subscription.register_fetch_waiters(set())
    client.coordinator_lookup, client.ready = AsyncMock(return_value=1), AsyncMock(return_value=True)
    made: Any = GroupCoordinator(
        client, subscription, group_id="agents", session_timeout_ms=5_000, enable_auto_commit=False
    )
    made._do_rejoin_group = AsyncMock(side_effect=[*outcomes, asyncio.CancelledError()])
    subscription.subscribe(topics={"events"})
    try:
        yield made
    finally:
        made._coordination_task.cancel()
        await asyncio.gather(made._coordination_task, return_exceptions=True)


async def raised_by(coordinator: Any) -> Exception:
    """What it raises when it is asked, as soon as it does."""
    async with asyncio.timeout(5):
        while True:
            await asyncio.sleep(0.005)
            try:
                check_group(coordinator)
            except Exception as error:
                return error


async def test_a_session_timeout_that_the_broker_refuses_is_named() -> None:
    async with coordinator_whose_join(errors.InvalidSessionTimeoutError()) as coordinator:
        error = await raised_by(coordinator)
    assert isinstance(error, SettingsError)
    assert "RIVERRUN_KAFKA__SESSION_TIMEOUT_MS=5000" in str(error)
    assert "group.min.session.timeout.ms" in error.hint


async def test_a_missing_permission_is_named() -> None:
    async with coordinator_whose_join(errors.GroupAuthorizationFailedError("agents")) as coordinator:
        error = await raised_by(coordinator)
    assert isinstance(error, KafkaForbidden)
    assert "into the group agents" in str(error)


async def test_whoever_was_told_lets_the_coordination_go_on() -> None:
    async with coordinator_whose_join(errors.InvalidSessionTimeoutError(), errors.InvalidGroupIdError()) as coordinator:
        assert isinstance(await raised_by(coordinator), SettingsError)
        assert isinstance(await raised_by(coordinator), errors.InvalidGroupIdError)


async def test_a_coordination_that_an_assignor_has_ended_says_so() -> None:
    async with coordinator_whose_join(KeyError("an assignor's mistake")) as coordinator:
        error = await raised_by(coordinator)
    assert isinstance(error, errors.KafkaError)
    assert "an assignor's mistake" in str(error)
    assert not error.retriable
