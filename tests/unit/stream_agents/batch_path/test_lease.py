"""The right to write."""

# ruff: noqa: SLF001  # aiokafka's private methods are what the lease is tied to

from typing import Any

import pytest

from stream_agents.batch_path.consumer_thread import tie_lease
from stream_agents.batch_path.lease import Lease, LeaseLost, boot_time_s


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


class Coordinator:
    """The three methods of aiokafka's group coordinator that the lease hangs on."""

    def __init__(self) -> None:
        self.answer = True
        self.joined: list[Any] = []
        self.resets = 0

    async def _do_heartbeat(self) -> bool:
        return self.answer

    async def _on_join_complete(self, *args: Any) -> None:
        self.joined.append(args)

    def reset_generation(self) -> None:
        self.resets += 1


def test_a_new_worker_has_no_lease() -> None:
    lease = Lease(6.0, Clock())

    assert not lease.held
    with pytest.raises(LeaseLost, match="before the rows were produced"):
        lease.check("the rows were produced")


def test_a_lease_lasts_from_the_sending_of_the_accepted_heartbeat() -> None:
    clock = Clock()
    lease = Lease(6.0, clock)
    sent_at_s = lease.now_s()
    clock.now_s += 5.0
    lease.renew(sent_at_s)
    assert lease.held

    clock.now_s += 1.0
    assert not lease.held


async def test_heartbeats_and_joins_renew_the_lease_and_a_lost_membership_drops_it() -> None:
    clock, coordinator = Clock(), Coordinator()
    lease = Lease(6.0, clock)
    tie_lease(coordinator, lease)

    await coordinator._on_join_complete("generation", "member")
    assert lease.held
    assert coordinator.joined == [("generation", "member")]

    clock.now_s += 5.9
    coordinator.answer = False
    assert not await coordinator._do_heartbeat()
    clock.now_s += 0.2
    assert not lease.held

    coordinator.answer = True
    assert await coordinator._do_heartbeat()
    assert lease.held

    coordinator.reset_generation()
    assert not lease.held
    assert coordinator.resets == 1


def test_the_real_clock_goes_forward() -> None:
    assert boot_time_s() <= boot_time_s()
