"""Runs one worker from start to exit: waits for a signal, a crash or a failure, and always gets away."""

import asyncio
import logging
import signal
import time
from collections.abc import Awaitable, Callable
from typing import Final

from app.errors import RiverrunError
from app.observability import Metrics
from stream_agents import metrics as table
from stream_agents.progress import Progress
from stream_agents.watchdog import Watchdog
from stream_agents.wiring import Agents

log = logging.getLogger("riverrun.agents")

STOP_TIMEOUT_S: Final = 15.0
CRASH_STOP_TIMEOUT_S: Final = 8.0
BEAT_S: Final = 1.0
# Rows in memory are read again from the changelog after a crash, and a deletion stays there for a day only
# (delete.retention.ms): a partition that fills no buffer in that time must not bring a forgotten user back.
FLUSH_INTERVAL_S: Final = 300.0
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

End = Callable[[BaseException | None], None]
Wire = Callable[[End], Awaitable[Agents]]


class WorkerCrashed(Exception):
    """The worker met an error that nobody planned for; its cause is attached."""


async def run_worker(wire: Wire, metrics: Metrics, progress: Progress, watchdog: Watchdog) -> None:
    """Run until SIGTERM or SIGINT; then finish the batch under way, commit and leave the group.

    Args:
        wire: puts the worker together on this event loop; it is given what to call when the worker must end.
        metrics: of this process.
        progress: what health is judged by.
        watchdog: told when the end is near.

    Raises:
        RiverrunError: something that a person can mend.
        WorkerCrashed: anything else; only what was safe has been committed.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[BaseException | None] = loop.create_future()

    def end(reason: BaseException | None) -> None:
        if not ended.done():
            ended.set_result(reason)

    for number in SIGNALS:
        loop.add_signal_handler(number, end, None)
    agents = await wire(end)
    background = [
        asyncio.create_task(_run_app(agents, end)),
        asyncio.create_task(_beat(agents, metrics, progress)),
        asyncio.create_task(_flush(agents, end)),
    ]
    reason = await ended
    log.info("stopping%s", "" if reason is None else f" because of {reason!r}")
    timeout_s = STOP_TIMEOUT_S if reason is None else CRASH_STOP_TIMEOUT_S
    watchdog.expect_end_within(timeout_s + 5)
    failed = await _stop(agents, timeout_s)
    for task in background:
        task.cancel()
    await asyncio.gather(*background, return_exceptions=True)
    if isinstance(reason, RiverrunError):
        raise reason
    if crash := reason or failed:
        raise WorkerCrashed(f"{type(crash).__name__}: {crash}") from crash
    log.info("stopped")


async def _run_app(agents: Agents, end: End) -> None:
    """Start the application and wait for it; it ends by itself only when it crashes."""
    app = agents.app
    try:
        await app.start()
        await app.wait_until_stopped()
    except Exception as error:  # handed to run_worker, which raises it
        end(error)
    else:
        if app.crashed:
            end(app.crash_reason or WorkerCrashed("Faust crashed and gave no reason"))


async def _stop(agents: Agents, timeout_s: float) -> BaseException | None:
    """Stop in order; what failed in it, which must not hide why the worker ends.

    In a task of its own: a consumer that has crashed cancels whoever asks it for its last commit.
    """

    async def in_order() -> None:
        try:
            await agents.app.stop()
        finally:
            await agents.publisher.stop()

    stopping = asyncio.create_task(in_order())
    await asyncio.wait({stopping}, timeout=timeout_s)
    if not stopping.done():
        # Not an error of its own: offsets of unfinished batches are not committed, so they will be done again.
        log.warning("did not stop cleanly within %.0f s; leaving anyway", timeout_s)
        stopping.cancel()
        return None
    return asyncio.CancelledError("by its consumer") if stopping.cancelled() else stopping.exception()


async def _beat(agents: Agents, metrics: Metrics, progress: Progress) -> None:
    """Show the watchdog that the loop runs, and the scraper how large the table is."""
    while True:
        progress.loop_beat_s = time.monotonic()
        metrics.gauge(table.TABLE_ROWS).set(agents.table.estimated_rows())
        metrics.gauge(table.TABLE_BYTES).set(agents.table.disk_bytes())
        await asyncio.sleep(BEAT_S)


async def _flush(agents: Agents, end: End) -> None:
    """Bound the age of what is in memory only."""
    while True:
        await asyncio.sleep(FLUSH_INTERVAL_S)
        try:
            agents.table.flush()
        except Exception as error:  # handed to run_worker, which raises it
            end(error)
            return
