"""What `/healthz` and `/readyz` say. Written by the event loop, read from other threads: single attributes, no lock."""

from collections.abc import Callable, Mapping
from typing import Final

from app.gateway.following import FollowState
from app.observability import Status

LOOP_STUCK_S: Final = 30.0


class Health:
    """How the gateway is doing; `now_s` is a monotonic clock, `followed` has every topic's state by its role."""

    def __init__(self, now_s: Callable[[], float], followed: Mapping[str, FollowState]) -> None:
        self._now_s = now_s
        self._beat_s = now_s()
        self._followed = followed
        self.stopping = False

    def beat(self) -> None:
        """The event loop runs."""
        self._beat_s = self._now_s()

    def healthy(self) -> Status:
        """False asks for a restart. A Kafka that is away is no reason for one."""
        silent_s = self._now_s() - self._beat_s
        if silent_s > LOOP_STUCK_S:
            return Status(False, f"the event loop has been stuck for {silent_s:.0f} s")
        return Status(True, "running")

    def ready(self) -> Status:
        """Whether lists can be served and events be taken."""
        if self.stopping:
            return Status(False, "stopping")
        for role, state in self._followed.items():
            if state.away:
                return Status(False, f"{role}: {state.away}")
            if not state.caught_up:
                return Status(False, f"{role}: reading what is there")
        return Status(True, "lists are caught up")

    @property
    def caught_up(self) -> bool:
        """Whether everything was read once: lists can be served, also while Kafka is away."""
        return all(state.caught_up for state in self._followed.values())
