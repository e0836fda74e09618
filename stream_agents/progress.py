"""What a worker has done and still has to do, and the judgement on it: healthy, ready, stuck. Pure.

Written by the event loop, read by the observability server's and the watchdog's threads: every field is replaced as
a whole, none is changed in place.
"""

from dataclasses import dataclass, field
from typing import Final

from app.observability import Status

LOOP_STUCK_S: Final = 30.0
STALLED_S: Final = 60.0
RESTORING_STALLED_S: Final = 120.0


@dataclass(slots=True)
class Progress:
    """The facts; times on a monotonic clock, in seconds.

    Attributes:
        loop_beat_s: when the event loop last ran.
        looked_s: when heads and changelogs of the served partitions were last looked at.
        restoring: partitions are assigned, but not restored yet.
        serving: partitions that are assigned, restored and writable.
        heads: the next offset of each partition's log.
        cursors: the next offset to process.
        committed: what the group has committed.
        advanced_s: when work was last done: a batch, restored rows, a commit.
        trouble: why the newest batch could not be delivered; empty when it could.
    """

    loop_beat_s: float
    advanced_s: float
    looked_s: float = 0.0
    restoring: bool = False
    serving: frozenset[int] = frozenset()
    heads: dict[int, int] = field(default_factory=dict)
    cursors: dict[int, int] = field(default_factory=dict)
    committed: dict[int, int] = field(default_factory=dict)
    trouble: str = ""

    def lag(self, partition: int) -> int:
        """Records of a partition that wait."""
        return max(0, self.heads.get(partition, 0) - self.cursors.get(partition, 0))

    def work_waits(self) -> bool:
        """Whether there is something to process or to commit."""
        return any(
            self.lag(partition) > 0 or self.cursors.get(partition, 0) > self.committed.get(partition, 0)
            for partition in self.serving
        )


def healthy(progress: Progress, now_s: float) -> Status:
    """Whether the worker is alive and, where there is work, getting on with it; if not, it wants a restart."""
    silent_s = now_s - progress.loop_beat_s
    if silent_s > LOOP_STUCK_S:
        return Status(False, f"the event loop has been stuck for {silent_s:.0f} s")
    idle_s = now_s - progress.advanced_s
    if progress.work_waits() and idle_s > STALLED_S and not progress.trouble:
        return Status(False, f"events wait, but nothing was processed or committed for {idle_s:.0f} s")
    if progress.restoring and idle_s > RESTORING_STALLED_S:
        return Status(False, f"partitions are assigned, but nothing was restored for {idle_s:.0f} s")
    if progress.serving and now_s - progress.looked_s > STALLED_S and not progress.trouble:
        return Status(False, f"Kafka has not told the ends of the partitions for {now_s - progress.looked_s:.0f} s")
    return Status(True, progress.trouble or "the loop runs and work gets done")


def ready(progress: Progress) -> Status:
    """Whether partitions are assigned, restored and writable."""
    if progress.trouble:
        return Status(False, progress.trouble)
    if not progress.serving:
        return Status(False, "no partition is assigned and restored")
    return Status(True, f"serving partitions {', '.join(map(str, sorted(progress.serving)))}")
