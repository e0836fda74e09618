"""Turns what the batch path tells into metrics, progress and log lines."""

import logging
from collections.abc import Callable, Iterable, Mapping

from app.observability import Metrics
from stream_agents import metrics as table
from stream_agents.interests import BatchSummary
from stream_agents.progress import Progress, ready

log = logging.getLogger("riverrun.agents")


class AgentsObserver:
    """The batch path's observer; `now_s` is monotonic, `wall_s` is seconds since 1970."""

    def __init__(
        self, metrics: Metrics, progress: Progress, now_s: Callable[[], float], wall_s: Callable[[], float]
    ) -> None:
        self._metrics = metrics
        self._progress = progress
        self._now_s = now_s
        self._wall_s = wall_s

    def batch_done(self, partition: int, summary: BatchSummary, *, next_offset: int, seconds: float) -> None:
        """A batch is safe."""
        progress, metrics = self._progress, self._metrics
        progress.advanced_s = self._now_s()
        self._trouble_over()
        progress.cursors = progress.cursors | {partition: next_offset}
        self.head_seen(partition, max(next_offset, progress.heads.get(partition, 0)))
        metrics.counter(table.EVENTS_READ).inc(summary.read)
        metrics.counter(table.EVENTS_ACCEPTED).inc(summary.accepted)
        for outcome, count in summary.outcomes.items():
            metrics.counter(table.EVENTS, outcome).inc(count)
        for reason, count in summary.dead_letters.items():
            metrics.counter(table.DEAD_LETTERS, reason).inc(count)
        metrics.counter(table.EVENTS_LATE).inc(summary.late)
        metrics.counter(table.FOLLOW_UPS).inc(summary.follow_ups)
        metrics.counter(table.USERS_CHANGED).inc(summary.users_changed)
        metrics.counter(table.USERS_FORGOTTEN).inc(summary.users_forgotten)
        metrics.counter(table.USERS_TRIMMED).inc(summary.users_trimmed)
        metrics.histogram(table.BATCH_SIZE).observe(summary.read)
        metrics.histogram(table.BATCH_SECONDS).observe(seconds)
        age_s = self._wall_s() - summary.oldest_received_ts_ms / 1000
        metrics.histogram(table.EVENT_AGE).observe(max(0.0, age_s))

    def head_seen(self, partition: int, head: int) -> None:
        """The log of a partition ends here."""
        self._progress.heads = self._progress.heads | {partition: head}
        self._metrics.gauge(table.LAG, str(partition)).set(self._progress.lag(partition))

    def serving(self, partitions: frozenset[int]) -> None:
        """These partitions are served."""
        if partitions != self._progress.serving:
            log.info("serving partitions %s", _numbers(partitions))
            self._progress.serving = partitions
            self._progress.restoring = False
            self._progress.advanced_s = self._progress.looked_s = self._now_s()
            self._metrics.gauge(table.ASSIGNED).set(len(partitions))
            self._tell_ready()

    def not_serving(self) -> None:
        """Nothing can be served now: no assignment, recovery under way, or no lease."""
        if self._progress.serving:
            log.info("no longer serving partitions %s", _numbers(self._progress.serving))
            self._progress.serving = frozenset()
            self._metrics.gauge(table.ASSIGNED).set(0)
            self._tell_ready()

    def positioned(self, partition: int, committed_offset: int) -> None:
        """A partition continues at the group's committed offset."""
        self._progress.cursors = self._progress.cursors | {partition: committed_offset}
        self._progress.committed = self._progress.committed | {partition: committed_offset}

    def assigned(self, partitions: frozenset[int]) -> None:
        """These partitions were assigned; they are restored before they are served."""
        log.info("assigned partitions %s", _numbers(partitions))
        self._progress.advanced_s = self._now_s()
        self._progress.restoring = bool(partitions)

    def revoked(self) -> None:
        """All partitions were taken away; some may come back."""
        for partition in self._progress.heads:
            self._metrics.gauge(table.LAG, str(partition)).set(0)
        self._progress.restoring = False
        self._progress.heads, self._progress.cursors, self._progress.committed = {}, {}, {}

    def all_well(self) -> None:
        """Heads and changelogs of all served partitions were looked at."""
        self._progress.looked_s = self._now_s()
        self._trouble_over()

    def _trouble_over(self) -> None:
        if self._progress.trouble:
            log.info("delivering again")
            self._progress.trouble = ""
            self._tell_ready()

    def retrying(self, reason: str) -> None:
        """Something could not be delivered and is tried again."""
        self._metrics.counter(table.RETRIES).inc()
        if reason != self._progress.trouble:
            log.warning("trying again: %s", reason)
        self._progress.trouble = reason
        self._tell_ready()

    def rows_restored(self, partition: int, rows: int) -> None:
        """Changelog rows were read into the table."""
        self._progress.advanced_s = self._now_s()
        self._metrics.counter(table.ROWS_RESTORED).inc(rows)

    def changelog_healed(self, partition: int, rows: int) -> None:
        """Somebody else wrote to the changelog; so many rows had to be asserted again."""
        log.warning("partition %d: foreign records in the changelog; %d rows asserted again", partition, rows)
        self._metrics.counter(table.CHANGELOG_HOLES).inc()
        self._metrics.counter(table.ROWS_HEALED).inc(rows)

    def committed(self, next_offsets: Mapping[int, int]) -> None:
        """The group's offsets were committed."""
        self._progress.committed = self._progress.committed | dict(next_offsets)
        self._progress.advanced_s = self._now_s()
        self._metrics.gauge(table.COMMIT_TIME).set(self._wall_s())

    def _tell_ready(self) -> None:
        """The gauge says what /readyz says."""
        self._metrics.gauge(table.READY).set(1 if ready(self._progress).ok else 0)


def _numbers(partitions: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(partitions))) or "(none)"
